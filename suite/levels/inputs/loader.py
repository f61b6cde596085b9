"""Images in the host's memory through PyTorch's `DataLoader`."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.contracts.input_pipeline import InputPipeline
from suite.contracts.placement import Placement
from suite.machine.affinity import affinity_cores
from suite.machine.process_lifetime import die_with_parent
from suite.machine.readings import optional_or
from suite.provenance.installation import refusal_without
from suite.records import NUM_CLASSES, Case
from suite.registry import INPUTS, InputSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

IMAGES = 2048
"""Images in memory: an epoch of 32 batches of 64, and far more than a processor's inner caches hold."""
IMAGES_BYTES = 2**26
"""Limit for large images: every worker makes its own set, and up to 32 workers live at the same time."""
MEAN, DEVIATION = 127.5 / 255, 73.9 / 255
"""Of the images' values, which are uniform from 0 to 255. Normalised values have the scale of `synthetic`."""
AHEAD = 2
"""Batches that each loader worker prepares in advance: torch's default `prefetch_factor`."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the kernel's folder, not a file of ours
"""Loader workers pass their batches through it; a container may grant as little as 64 MB."""

Transform = Callable[["Tensor"], "Tensor"]


class Images:
    """A dataset in memory: image (3, H, W) after its transform, and label, by index.

    Args:
        pixels: uint8 (images, 3, H, W).
        labels: one for each image.
        transform: applied to one image, uint8 (3, H, W), when it is fetched.
    """

    def __init__(self, pixels: Tensor, labels: list[int], transform: Transform) -> None:
        self._pixels = pixels
        self._labels = labels
        self._transform = transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._pixels[index]), self._labels[index]


class JointBatches:
    """Endless batches of indices, shuffled anew in each epoch.

    The incomplete last batch of an epoch is dropped. Ranks that share the batches draw the same orders from the same
    seed, and take their share of each.

    Args:
        images: number of images, at least `batch_size`.
        batch_size: indices of a joint batch.
        part: this rank's share of them.
        seed: of the orders.
    """

    def __init__(self, images: int, batch_size: int, part: slice, seed: int) -> None:
        self._images = images
        self._batch_size = batch_size
        self._part = part
        self._seed = seed

    def __iter__(self) -> Iterator[list[int]]:
        import torch

        generator = torch.Generator().manual_seed(self._seed)
        while True:
            order = torch.randperm(self._images, generator=generator).tolist()
            for start in range(0, self._images - self._batch_size + 1, self._batch_size):
                yield order[start : start + self._batch_size][self._part]


class OwnRandom:
    """The pipeline's random state, which replaces torch's while the pipeline draws.

    So the same seed gives the same batches whatever the network draws, and the network's draws do not depend on the
    pipeline. It costs about 20 us a batch.
    """

    def __init__(self, seed: int) -> None:
        import torch

        self._state = torch.Generator().manual_seed(seed).get_state()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Draw from the pipeline's state."""
        import torch

        with torch.random.fork_rng(devices=()):
            torch.set_rng_state(self._state)
            yield
            self._state = torch.get_rng_state()


class Loader(InputPipeline):
    """Shuffled batches of images in memory, converted and normalised image by image.

    Images are made before the first step, uint8 (3, H, W) each, up to `IMAGES` of them. The entry's attribute `workers`
    is the number of processes that fetch them, forked from the one that trains; with 0 that one fetches them. With the
    attribute `pinned`, batches are copied to the device from pinned memory without waiting for the copy. Batches are
    endless: workers live as long as the step and do not stop between epochs.

    Inside a step, and its wait for data, with 0 workers: fetching, conversion to float32 and normalisation of each
    image, collation to (N, 3, H, W) and the copy to the device. With more: that work as far as the workers have not
    finished it, taking the batch out of shared memory, and the copy (with pinned memory only its start). The workers'
    time on cores is in no metric. Outside: making the images, starting the workers.

    Source: PyTorch, `torch.utils.data`, sections "Single- and multi-process data loading" and "Memory pinning". Ours
        differs in that its epochs follow each other without a stop, and `pause` holds the workers.
    """

    def __init__(self) -> None:
        self._workers: list[BaseProcess] = []
        self._batches: Generator[tuple[Tensor, Tensor]] | None = None

    @classmethod
    def refusal(cls, case: Case, device: str) -> str:
        """No torchvision or CUDA device, too few cores, or too little shared memory."""
        if missing := refusal_without("torchvision", case.input):  # its transforms
            return missing
        attributes = INPUTS[case.input].attributes
        if attributes.get("pinned") and device != "cuda":
            return f"{case.input} pins memory for CUDA devices, and {case.execution} runs on {device}"
        return refusal_of_workers(case, attributes["workers"]) if attributes.get("workers") else ""

    @staticmethod
    def of_image(image_size: int) -> Transform:  # noqa: ARG004 - transforms that crop read it
        """The transform of an image, uint8 (3, H, W), when it is fetched."""
        return normalisation()

    @staticmethod
    def of_batch(image_size: int) -> Transform | None:  # noqa: ARG004 - transforms that crop read it
        """The transform of a collated batch (n, 3, H, W) on the device; None for none."""
        return None

    def batches(self, case: Case, placement: Placement) -> Iterator[tuple[Tensor, Tensor]]:
        """Start the workers; yield endless pairs of images and labels.

        The images and their order are the same for every pipeline of this family.
        """
        import torch

        attributes = INPUTS[case.input].attributes
        generator = torch.Generator().manual_seed(case.seed)
        images = make_images(case, generator, self.of_image(case.image_size))
        order_seed, draws_seed = torch.randint(2**31, (2,), generator=generator).tolist()
        indices = JointBatches(len(images), case.batch_size, placement.part, order_seed)
        draws_seed += placement.rank  # ranks that share batches augment their shares differently
        before = multiprocessing.active_children()
        loaded = load(images, indices, draws_seed, attributes.get("workers", 0), pinned=attributes.get("pinned", False))
        self._workers = [process for process in multiprocessing.active_children() if process not in before]
        self._batches = to_device(loaded, placement, self.of_batch(case.image_size), OwnRandom(draws_seed))
        return self._batches

    def pause(self) -> None:
        """Stop the workers: their work would be in no round, and others are measured now."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Continue the workers."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the workers, by a signal if an error still holds the loader."""
        self.go_on()
        if self._batches is not None:
            self._batches.close()  # it holds the loader's iterator, which ends the workers
            self._batches = None
        for worker in self._workers:
            worker.terminate()
            worker.join()
        self._workers = []

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None and worker.exitcode is None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, number)


def refusal_of_workers(case: Case, workers: int) -> str:
    """Reason why this machine is too small for the loader workers; empty if it is not."""
    cores = affinity_cores()
    if cores < workers:
        return f"{case.input} starts {workers} loader workers, and this process may use {cores} of the machine's cores"
    needed = (workers * AHEAD + 1) * case.batch_size * 3 * case.image_size**2 * 4
    size = shared_memory_bytes()
    if 0 < size < needed:
        return (
            f"{case.input} holds {needed} bytes of batches in {SHARED_MEMORY}, which is {size} bytes large; "
            "enlarge it, in a container by --shm-size"
        )
    return ""


@optional_or(int)
def shared_memory_bytes() -> int:
    """Size of the shared memory; 0 if it is unknown or has no limit."""
    status = os.statvfs(SHARED_MEMORY)
    return status.f_blocks * status.f_frsize


def make_images(case: Case, generator: torch.Generator, transform: Transform) -> Images:
    """Make at least one batch of uniformly distributed images, and labels."""
    import torch

    count = max(case.batch_size, min(IMAGES, IMAGES_BYTES // (3 * case.image_size**2)))
    shape = (count, 3, case.image_size, case.image_size)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.randint(NUM_CLASSES, (count,), generator=generator).tolist(), transform)


def normalisation() -> Transform:
    """Images uint8 (..., 3, H, W) -> float32; uniform ones get mean 0 and deviation 1."""
    import torch
    from torchvision.transforms import v2

    steps = [v2.ToDtype(torch.float32, scale=True), v2.Normalize([MEAN] * 3, [DEVIATION] * 3)]
    transform: Transform = v2.Compose(steps)
    return transform


def load(images: Images, indices: JointBatches, seed: int, workers: int, *, pinned: bool) -> Iterator[Any]:
    """Start the workers of a `DataLoader`; they end with its iterator or this process."""
    import torch
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
        images,  # type: ignore[arg-type]  # a dataset but for its class, which would import torch
        batch_sampler=indices,
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=pinned,
        generator=torch.Generator().manual_seed(seed),
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=partial(end_with_parent, os.getpid()),
    )
    return iter(loader)


def end_with_parent(parent: int, worker: int) -> None:  # noqa: ARG001 - torch numbers its workers
    """Ask the kernel to end this loader worker with its parent.

    torch's own watch wakes every 5 s, and never while the worker is stopped.
    """
    die_with_parent(parent)


def to_device(
    loaded: Iterator[Any], placement: Placement, transform: Transform | None, random: OwnRandom
) -> Generator[tuple[Tensor, Tensor]]:
    """Put loaded batches on the device, images (n, 3, H, W) transformed."""
    while True:
        with random():
            images, labels = next(loaded)
            non_blocking = images.is_pinned() if placement.device.type == "cuda" else False
            if transform is not None:
                images = transform(placement.move(images, non_blocking=non_blocking))
        yield placement.put(images, labels, non_blocking=non_blocking)


def attributes_of(workers: int, *, pinned: bool = False, augmentation: str = "none") -> dict[str, Any]:
    """The attributes of a pipeline of this family."""
    return {"augmentation": augmentation, "workers": workers, "pinned": pinned}


INPUTS.add(InputSpec("loader_w0", Loader, attributes_of(workers=0)))
INPUTS.add(InputSpec("loader_w2", Loader, attributes_of(workers=2)))
INPUTS.add(InputSpec("pinned_w2", Loader, attributes_of(workers=2, pinned=True)))
