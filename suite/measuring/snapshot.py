"""Snapshots of the state of training, which are restored in place."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from suite.contracts.tuning import Tuning

LARGEST_SEED = 2**32
"""numpy takes smaller seeds alone."""
NUMPY = "numpy.random"
"""The module from which numpy draws, if this process has loaded it."""
TRAINED = "params"
"""Key of a group of an optimizer for the tensors that it trains; other keys are settings and counters."""


def snapshot(network: nn.Module, optimizers: Sequence[torch.optim.Optimizer], tuning: Tuning) -> Callable[[], None]:
    """Remember weights, buffers, and the states of optimizers, tuning and randomness.

    Restoring keeps the tensors' addresses, since a step's cost depends on them and captured graphs rely on them.

    Returns:
        A function that restores everything, any number of times.
    """
    held = weights_of(network, optimizers)
    copies = [tensor.detach().clone() for tensor in held]
    buffers = {name: buffer.detach().clone() for name, buffer in network.named_buffers()}
    states = [{weights: deepcopy(state) for weights, state in one.state.items()} for one in optimizers]
    settings = [[settings_of(group) for group in one.param_groups] for one in optimizers]
    restore_tuning = tuning.snapshot()
    restore_random = random_state()

    def restore() -> None:
        with torch.no_grad():
            for tensor, copy in zip(held, copies, strict=True):
                tensor.copy_(copy)
            restore_buffers(network, buffers)
            for optimizer, held_states, of_groups in zip(optimizers, states, settings, strict=True):
                for weights, state in held_states.items():
                    restore_state(optimizer.state[weights], state)
                for group, values in zip(optimizer.param_groups, of_groups, strict=False):
                    restore_values(group, values)
        restore_tuning()
        restore_random()

    return restore


def weights_of(network: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    """All that is trained: parameters of the network, and others of the optimizers."""
    groups = [group for one in optimizers for group in one.param_groups]
    every = [*network.parameters(), *(weights for group in groups for weights in group[TRAINED])]
    return list({id(weights): weights for weights in every}.values())


def settings_of(group: dict[str, Any]) -> dict[str, Any]:
    """A copy of all but the tensors of an optimizer's group."""
    return {key: deepcopy(value) for key, value in group.items() if key != TRAINED}


def restore_buffers(network: nn.Module, copies: dict[str, Tensor]) -> None:
    """Restore buffers by name: a forward may have put another tensor in the place."""
    for name, buffer in network.named_buffers():
        copy = copies.get(name)
        if copy is not None and copy.shape == buffer.shape:
            buffer.copy_(copy)


def restore_state(state: dict[str, Any], copy: dict[str, Any]) -> None:
    """Restore one parameter's optimizer state: tensors in place, other values copied."""
    for key in state.keys() - copy.keys():
        del state[key]
    restore_values(state, copy)


def restore_values(state: dict[str, Any], copy: dict[str, Any]) -> None:
    """Restore the values of these keys; tensors in place."""
    for key, value in copy.items():
        current = state.get(key)
        if isinstance(value, Tensor) and isinstance(current, Tensor) and current.shape == value.shape:
            current.copy_(value)
        else:
            state[key] = deepcopy(value)


def seed_random(seed: int) -> None:
    """Seed torch, and Python and numpy, from which a user's network may draw."""
    torch.manual_seed(seed)
    random.seed(seed)
    if numpy := sys.modules.get(NUMPY):
        numpy.seed(seed % LARGEST_SEED)


def random_state() -> Callable[[], None]:
    """Remember the random states of torch, Python and numpy, and of devices.

    Calling the result restores them.
    """
    host, restore_devices = torch.get_rng_state(), random_state_of_devices()
    of_python, numpy = random.getstate(), sys.modules.get(NUMPY)
    of_numpy = numpy.get_state() if numpy else None

    def restore() -> None:
        torch.set_rng_state(host)
        random.setstate(of_python)
        if numpy:
            numpy.set_state(of_numpy)
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
