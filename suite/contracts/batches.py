"""Nested batches: tensors in dictionaries, lists and tuples, to any depth.

No torch at import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Batch = tuple[Any, Any]
"""Inputs and targets of a step, each a tensor or nested tensors whose first dimension is the batch's."""


def each_tensor(change: Callable[[Any], Any], value: Any) -> Any:
    """The same nested value with each tensor changed.

    Other values, such as numbers and None, stay.

    Args:
        change: what to do with a tensor, or with another object that has a method `to`.
        value: of mappings, lists, tuples and named tuples.
    """
    if hasattr(value, "to"):
        return change(value)
    if isinstance(value, Mapping):
        return {key: each_tensor(change, one) for key, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(each_tensor(change, one) for one in value))
    if isinstance(value, list | tuple):
        return type(value)(each_tensor(change, one) for one in value)
    return value


def tensors_of(value: Any) -> Iterator[Any]:
    """The tensors of a nested value, in order; other values are left out."""
    if hasattr(value, "is_floating_point"):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_of(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_of(one)


def joined(values: list[Any], join: Callable[[list[Any]], Any]) -> Any:
    """One nested value from several of the same form.

    Args:
        values: at least one.
        join: joins the tensors at one place.
    """
    first = values[0]
    if isinstance(first, Mapping):
        return {key: joined([one[key] for one in values], join) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(joined(list(places), join) for places in zip(*values, strict=True)))
    if isinstance(first, list | tuple):
        return type(first)(joined(list(places), join) for places in zip(*values, strict=True))
    return join(values) if hasattr(first, "to") else first
