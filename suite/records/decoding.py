r"""JSON as typed values: msgspec checks the types.

The text is not read by msgspec, which refuses the lone surrogates (`\udc80`) by which a record keeps a path that is
not UTF-8, and reads whole numbers of any size (docs/decisions/0031-typed-files.md).
"""

from __future__ import annotations

import json
import re
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

LONGEST_SHOWN = 60
"""Characters of a value that is quoted in a sentence."""
LARGEST_WHOLE = 2**63
"""Whole numbers of a record go into arithmetic with others; no count that is measured comes near."""
LONGEST_WHOLE = len(str(-LARGEST_WHOLE))
"""Characters: longer ones Python may refuse to read at all."""
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
"""Types as msgspec names them -> as a sentence does."""
STEP = r"\.(\w+)|\[(\d+|\.\.\.)\]"
"""One step of a path as msgspec writes it: a field, a place in a list, or some key of an object."""
MISSING = r"Object missing required field `(\w+)`"
EXPECTED = r"Expected `([^`]*)`(.*?)(, got .*)?"
T = TypeVar("T")
Way = list[str | int]


class WrongValue(ValueError):
    """A value that is not of its kind: its place, the value, the kind allowed."""


class WrongNumber(ValueError):
    """A number that Python can read, and that is no number of a record."""


def parse(text: str | bytes) -> Any:
    """The value of a text of JSON, without NaN and infinities.

    Raises:
        WrongNumber: it has NaN, an infinity, or a whole number of more than 64 bits.
        ValueError: it is not JSON.
    """
    return json.loads(text, parse_constant=refuse_constant, parse_int=whole_number)


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise WrongNumber(f"the number {name}, which JSON does not have")


def whole_number(digits: str) -> int:
    """A whole number of at most 64 bits.

    Raises:
        WrongNumber: it has more.
    """
    if len(digits) > LONGEST_WHOLE or abs(int(digits)) > LARGEST_WHOLE:
        raise WrongNumber(f"the number {digits[:9]}…, which takes more than 64 bits")
    return int(digits)


def convert(kind: type[T], found: Any, where: str) -> T:
    """Convert plain values to a value of `kind`.

    `kind` is a dataclass, or a tuple or mapping of dataclasses.

    A key with a default may be missing. A key that no field has is refused: its value would be lost.

    Args:
        kind: an annotation.
        found: of plain values.
        where: the name of `found` in a sentence.

    Raises:
        WrongValue: `turns[0] of the visit is 'x'; allowed: a whole number.`
    """
    import msgspec  # not at the top: it takes 10 ms, and a worker or a command that reads no file never needs it

    try:
        made = msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise WrongValue(sentence(str(error), kind, found, where)) from None
    except UnicodeEncodeError as error:  # half of a surrogate pair where only some words are allowed
        raise WrongValue(f"{where} has {error.object!r} in place of a word; allowed: Unicode text.") from None
    if stray := stray_key(made, found):
        raise WrongValue(f"{where} has a key {stray!r}, which this version of stepmark does not know.")
    return made


def convert_known(kind: type[T], found: Any, where: str) -> T:
    """Convert as `convert` does, and ignore keys that `kind` does not have.

    A process of a later revision may send more keys.
    """
    known = getattr(kind, "__dataclass_fields__", ())
    return convert(
        kind, {key: found[key] for key in known if key in found} if isinstance(found, dict) else found, where
    )


def stray_key(made: Any, found: Any) -> str:
    """The way to a key that no dataclass has a field for; empty without one."""
    if is_dataclass(made):
        known = made.__dataclass_fields__
        if strange := next((key for key in found if key not in known), ""):
            return strange
        inner = ((f"{key}.", getattr(made, key), value) for key, value in found.items())
    elif isinstance(made, tuple) and made and is_dataclass(made[0]):
        inner = ((f"[{place}].", one, found[place]) for place, one in enumerate(made))
    elif isinstance(made, dict):
        inner = ((f"{key}.", one, found[key]) for key, one in made.items() if is_dataclass(one))
    else:
        return ""
    strays = ((way, stray_key(one, value)) for way, one, value in inner if isinstance(value, dict | list))
    return next((f"{way}{stray}" for way, stray in strays if stray), "")


def sentence(fault: str, kind: Any, found: Any, where: str) -> str:
    """The sentence about a fault that msgspec names.

    The fault is a text such as ``Expected `int`, got `str` - at `$.turns[0]```.
    """
    what, _, path = fault.partition(" - at ")
    way: Way = [name or (int(place) if place.isdecimal() else place) for name, place in re.findall(STEP, path)]
    place = f"{path.strip('`').removeprefix('$').removeprefix('.')} of {where}" if way else where
    if missing := re.fullmatch(MISSING, what):
        return f"{place} has no {missing[1]}."
    shown, expected = value_at(found, way), re.fullmatch(EXPECTED, what)
    if expected is None:  # a text that is none of a few, or a number that no float can hold
        return f"{place} is {shown}; allowed: {' or '.join(choices_at(kind, way)) or 'a smaller number'}."
    allowed = " or ".join(KINDS.get(name, name) for name in expected[1].replace("int | float", "float").split(" | "))
    return f"{place} is {shown}; allowed: {allowed}{expected[2]}."


def value_at(found: Any, way: Way) -> str:
    """The value at the end of a way, as a text of bounded length.

    Behind `[...]` the value is unknown.
    """
    for step in way:
        if step == "...":
            return "of another kind"
        found = found[step]
    shown = repr(found)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…"


def choices_at(kind: Any, way: Way) -> tuple[str, ...]:
    """The texts that a literal at the end of a way through an annotation allows."""
    for step in way:
        kind = get_args(kind)[0] if isinstance(kind, UnionType) else kind  # as in `Visit | None`
        if isinstance(step, int) or step == "...":
            kind = get_args(kind)[-1] if get_origin(kind) is dict else get_args(kind)[0]
        else:
            kind = get_type_hints(kind)[step]
    return cast("tuple[str, ...]", get_args(kind))
