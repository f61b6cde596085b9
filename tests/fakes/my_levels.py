"""A user's own levels, as a plug-in module: two small networks, and one for each way in which a case can go wrong."""

from __future__ import annotations

import os
import time

from suite.machine.affinity import allowed_cores, bind_all
from suite.registry import SCHEDULES, STRUCTURES, ScheduleSpec


def linear(num_classes: int, image_size: int):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))


@STRUCTURES.register("tiny", depth=1)
def tiny(num_classes: int, image_size: int):
    """One linear layer. Source: none."""
    return linear(num_classes, image_size)


@STRUCTURES.register("tinier", depth=1)
def tinier(num_classes: int, image_size: int):
    """The same. Source: none."""
    return linear(num_classes, image_size)


def halving(optimizer, steps: int):
    """Half the rate in the second half."""
    from torch.optim.lr_scheduler import StepLR

    return StepLR(optimizer, step_size=max(1, steps // 2), gamma=0.5)


SCHEDULES.add(ScheduleSpec("halving", halving, {"final_share": 0.5}))


BUFFER_BYTES = 256 * 2**20
"""What a forward of `buffers` allocates, fills and frees."""


def filling(num_classes: int, image_size: int, size: int):
    """Allocates so many bytes in each forward, fills and frees them."""
    import torch

    network = linear(num_classes, image_size)
    network.register_forward_pre_hook(lambda *_: torch.ones(size // 4).sum() and None)
    return network


@STRUCTURES.register("buffers")
def buffers(num_classes: int, image_size: int):
    """As tiny, with a buffer in each forward. Source: none."""
    return filling(num_classes, image_size, BUFFER_BYTES)


@STRUCTURES.register("mappings")
def mappings(num_classes: int, image_size: int):
    """The same with 48 MiB: more than the 32 MiB up to which glibc may come to keep a block. Source: none."""
    return filling(num_classes, image_size, 48 * 2**20)


@STRUCTURES.register("weighty")
def weighty(num_classes: int, image_size: int):
    """Three linear layers, the second of 64 MiB. Source: none."""
    from torch import nn

    return nn.Sequential(
        nn.Flatten(), nn.Linear(3 * image_size**2, 4096), nn.Linear(4096, 4096), nn.Linear(4096, num_classes)
    )


def reading(num_classes: int, image_size: int, read):
    """Has a look at its images in each forward."""
    network = linear(num_classes, image_size)
    network.register_forward_pre_hook(lambda _, inputs: (read(inputs[0]), None)[1])
    return network


@STRUCTURES.register("reads_a_value")
def reads_a_value(num_classes: int, image_size: int):
    """As tiny, with a decision by a value in each forward. Source: none."""
    return reading(num_classes, image_size, lambda images: "bright" if images.max() > 1 else "dark")


@STRUCTURES.register("reads_no_value")
def reads_no_value(num_classes: int, image_size: int):
    """As tiny, with a selection by numbers in each forward, whose size is theirs. Source: none."""
    return reading(num_classes, image_size, lambda images: images[images.argmax(0) * 0].numel())


@STRUCTURES.register("reads_a_size")
def reads_a_size(num_classes: int, image_size: int):
    """As tiny, with a selection in each forward, whose size depends on its values. Source: none."""
    return reading(num_classes, image_size, lambda images: images[images > 1].numel())


DOZE_S = 0.02
"""What a forward of `dozes` waits."""


@STRUCTURES.register("dozes")
def dozes(num_classes: int, image_size: int):
    """As tiny, asleep for a while in each forward. Source: none."""
    network = linear(num_classes, image_size)
    network.register_forward_pre_hook(lambda *_: time.sleep(DOZE_S))
    return network


@STRUCTURES.register("crowded")
def crowded(num_classes: int, image_size: int):
    """As tiny, with work for all threads in each forward, all of them bound to one core. Source: none."""
    import torch

    values = torch.rand(2**20)

    def on_one_core(*_):
        values.tanh()
        bind_all([min(allowed_cores())])
        for _ in range(4):
            values.tanh()

    network = linear(num_classes, image_size)
    network.register_forward_pre_hook(on_one_core)
    return network


def faulty(num_classes: int, image_size: int, fault, at: int):
    """Does `fault` in forward number `at`."""
    network = linear(num_classes, image_size)
    left = iter(range(at - 1, -1, -1))
    network.register_forward_pre_hook(lambda *_: fault() if next(left, -1) == 0 else None)
    return network


def stop(message: str):
    raise RuntimeError(message)


@STRUCTURES.register("raises")
def raises(num_classes: int, image_size: int):
    return faulty(num_classes, image_size, lambda: stop("the forward broke"), at=20)


@STRUCTURES.register("diverges")
def diverges(num_classes: int, image_size: int):
    network = linear(num_classes, image_size)
    network[1].weight.data.fill_(float("nan"))
    return network


@STRUCTURES.register("hungry")
def hungry(num_classes: int, image_size: int):
    import torch

    return faulty(num_classes, image_size, lambda: torch.empty(2**46), at=2)


@STRUCTURES.register("crashes")
def crashes(num_classes: int, image_size: int):
    return faulty(num_classes, image_size, os.abort, at=5)


@STRUCTURES.register("hangs")
def hangs(num_classes: int, image_size: int):
    return faulty(num_classes, image_size, lambda: time.sleep(3600), at=5)


@STRUCTURES.register("misshapen")
def misshapen(num_classes: int, image_size: int):
    return linear(num_classes, image_size + 1)


@STRUCTURES.register("picky", min_image_size=16)
def picky(num_classes: int, image_size: int):
    return linear(num_classes, image_size)
