"""Snapshots of the state of training, which are restored in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from suite.contracts.tuning import Tuning


def snapshot(network: nn.Module, optimizers: Sequence[torch.optim.Optimizer], tuning: Tuning) -> Callable[[], None]:
    """Remember weights, buffers, and the states of optimizers, tuning and randomness.

    Restoring keeps the tensors' addresses, since a step's cost depends on them and captured graphs rely on them.

    Returns:
        A function that restores everything, any number of times.
    """
    held = [*network.parameters(), *network.buffers()]
    copies = [tensor.detach().clone() for tensor in held]
    states = [{weights: deepcopy(state) for weights, state in one.state.items()} for one in optimizers]
    restore_tuning = tuning.snapshot()
    restore_random = random_state()

    def restore() -> None:
        with torch.no_grad():
            for tensor, copy in zip(held, copies, strict=True):
                tensor.copy_(copy)
            for optimizer, held_states in zip(optimizers, states, strict=True):
                for weights, state in held_states.items():
                    restore_state(optimizer.state[weights], state)
        restore_tuning()
        restore_random()

    return restore


def restore_state(state: dict[str, Any], copy: dict[str, Any]) -> None:
    """Restore one parameter's optimizer state: tensors in place, other values copied."""
    for key in state.keys() - copy.keys():
        del state[key]
    for key, value in copy.items():
        current = state.get(key)
        if isinstance(value, Tensor) and isinstance(current, Tensor) and current.shape == value.shape:
            current.copy_(value)
        else:
            state[key] = deepcopy(value)


def random_state() -> Callable[[], None]:
    """Remember torch's random state, of devices too; calling the result restores it."""
    host, restore_devices = torch.get_rng_state(), random_state_of_devices()

    def restore() -> None:
        torch.set_rng_state(host)
        restore_devices()

    return restore


def random_state_of_devices() -> Callable[[], None]:
    """The same of the accelerators that this process uses.

    `torch.accelerator` cannot set a state in every release, so the kind's module does: several devices have a state
    each, and MPS has one.
    """
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None:
        return lambda: None
    module: Any = torch.get_device_module(accelerator.type)
    if hasattr(module, "get_rng_state_all"):
        states = module.get_rng_state_all() if module.is_initialized() else []
        return partial(module.set_rng_state_all, states) if states else lambda: None
    if not torch.accelerator.is_available():
        return lambda: None
    return partial(module.set_rng_state, module.get_rng_state())
