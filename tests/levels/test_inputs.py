"""Input pipelines: their batches, each rank's share, the wait of a step, and processes that end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
import torch

from suite.contracts.placement import Placement
from suite.levels.inputs import loader
from suite.levels.inputs.loader import JointBatches, Loader
from suite.records import NUM_CLASSES, Case, RunRecord
from suite.records.store import read_run
from suite.registry import INPUTS, load_levels
from tests.conftest import FAKES, Desk, children

load_levels()

Batch = tuple[torch.Tensor, torch.Tensor]

SIZE = 8
HELD = [name for name in INPUTS if isinstance(INPUTS[name].pipeline(), Loader)]
FED = [name for name in INPUTS if name != "pinned_w2"]
"""What runs without a CUDA device."""
WITH_WORKERS = [name for name in HELD if name in FED and INPUTS[name].attributes["workers"]]
UNCHANGED = [name for name in HELD if name in FED and INPUTS[name].attributes["augmentation"] == "none"]
GONE_S = 3.0
"""Seconds for the kernel to end a process whose parent died: less than torch's own watch takes, which is 5 s."""

PROFILES = """
[fed]
plugins = ["my_levels", "my_inputs"]
structures = ["tiny"]
optimizers = ["sgd_momentum"]
executions = ["cpu"]
inputs = ["loader_w2", "augment_w2", "sleeps"]
batch_sizes = [4]
image_sizes = [8]
passes = 1
case_seconds = 0.5
"""
MY_INPUTS = '''
import time

from suite.levels.inputs.synthetic import Synthetic
from suite.registry import INPUTS, InputSpec


class Sleeps(Synthetic):
    """Synthetic images that take 20 ms to come. Source: none."""

    def batches(self, case, placement):
        for batch in super().batches(case, placement):
            time.sleep(0.02)
            yield batch


INPUTS.add(InputSpec("sleeps", Sleeps, {"augmentation": "none"}))
'''
KILLED = """
import sys, time, multiprocessing, torch
from suite.contracts.placement import Placement
from suite.records import Case
from suite.registry import INPUTS, load_levels

load_levels()
pipeline = INPUTS["augment_w2"].pipeline()
case = Case("seed_cnn", "sgd", "cpu", input="augment_w2", batch_size=512)
batches = pipeline.batches(case, Placement(torch.device("cpu"), torch.contiguous_format))
next(batches), next(batches)
if sys.argv[1] == "held":
    pipeline.pause()
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
while True:
    time.sleep(1) if sys.argv[1] != "busy" else next(batches)
"""


def case_of(name: str, **others) -> Case:
    return Case("seed_cnn", "sgd", "cpu", input=name, **{"batch_size": 16, "image_size": SIZE, **others})


def on_cpu(rank: int = 0, ranks: int = 1, memory_format: torch.memory_format = torch.contiguous_format) -> Placement:
    return Placement(torch.device("cpu"), memory_format, rank, ranks)


def take(name: str, count: int, placement: Placement | None = None, **others) -> list[Batch]:
    """The first batches of a fresh pipeline, which is closed again."""
    with closing(INPUTS[name].pipeline()) as pipeline:
        return list(islice(pipeline.batches(case_of(name, **others), placement or on_cpu()), count))


def same(ours: list[Batch], others: list[Batch]) -> bool:
    return all(
        torch.equal(images, other_images) and torch.equal(labels, other_labels)
        for (images, labels), (other_images, other_labels) in zip(ours, others, strict=True)
    )


@pytest.fixture(autouse=True)
def _others() -> None:
    """Children of this process that other tests have left alive, such as a server that forks."""
    OTHERS.clear()
    OTHERS.update(children(os.getpid()))


OTHERS: set[int] = set()


def loader_processes() -> list[int]:
    return [pid for pid in children(os.getpid()) if pid not in OTHERS]


def state_of(pid: int) -> str:
    """`T` where the process is held, empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def becomes(true) -> bool:
    deadline = time.monotonic() + GONE_S
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("name", FED)
def test_batches_are_whole_float_and_laid_out_as_asked(name, memory_format):
    for images, labels in take(name, 3, on_cpu(memory_format=memory_format)):
        assert (images.shape, images.dtype) == ((16, 3, SIZE, SIZE), torch.float32)
        assert images.is_contiguous(memory_format=memory_format)
        assert (labels.shape, labels.dtype) == ((16,), torch.int64)
        assert 0 <= int(labels.min()) <= int(labels.max()) < NUM_CLASSES
        assert not images.is_inference()
        assert not images.requires_grad


@pytest.mark.parametrize("name", UNCHANGED)
def test_images_are_normalised(name):
    (images, _labels), *_ = take(name, 1, batch_size=256)
    assert abs(float(images.mean())) < 0.02
    assert abs(float(images.std()) - 1) < 0.02


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] * one.startswith("augment")) for one in FED]
)
def test_the_same_seed_gives_the_same_batches_over_two_epochs_and_another_seed_others(name):
    count = 2 * loader.IMAGES // 256 + 3
    first, again, other = (take(name, count, batch_size=256, seed=seed) for seed in (0, 0, 1))
    assert same(first, again)
    assert not any(torch.equal(ours[0], theirs[0]) for ours, theirs in zip(first, other, strict=True))


@pytest.mark.parametrize("name", HELD)
def test_every_loader_takes_the_same_images_in_the_same_order(name):
    if name not in FED:
        pytest.skip("needs a CUDA device")
    plain, ours = (take(one, 5) for one in ("loader_w0", name))
    assert all(torch.equal(labels, others) for (_, labels), (_, others) in zip(plain, ours, strict=True))
    if name in UNCHANGED:
        assert same(plain, ours)


@pytest.mark.parametrize("name", UNCHANGED)
def test_the_parts_of_all_ranks_make_up_the_joint_batch(name):
    whole = take(name, 4, batch_size=10)
    parts = [take(name, 4, on_cpu(rank, 3), batch_size=10) for rank in range(3)]
    assert [len(part[0][1]) for part in parts] == [4, 3, 3]
    for number, (images, labels) in enumerate(whole):
        joint_images, joint_labels = torch.empty_like(images), torch.empty_like(labels)
        for rank, part in enumerate(parts):
            joint_images[rank::3], joint_labels[rank::3] = part[number]
        assert torch.equal(joint_images, images)
        assert torch.equal(joint_labels, labels)


def test_ranks_that_augment_draw_differently():
    one, other = (take("augment_w0", 1, on_cpu(rank, 2))[0][0] for rank in (0, 1))
    assert one.shape == other.shape
    assert not torch.equal(one, other)


def test_an_epoch_has_every_image_at_most_once_and_the_next_another_order():
    batches = list(islice(JointBatches(10, 4, slice(None), seed=3), 6))
    assert [len(batch) for batch in batches] == [4] * 6
    epochs = [batches[start] + batches[start + 1] for start in (0, 2, 4)]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_may_be_larger_than_what_is_held_otherwise():
    (images, _labels), *_ = take("loader_w0", 2, batch_size=loader.IMAGES + 1)
    assert len(images) == loader.IMAGES + 1


def test_fewer_large_images_are_held_in_memory(monkeypatch):
    monkeypatch.setattr(loader, "IMAGES_BYTES", 3 * SIZE**2 * 20)
    epochs = [torch.sort(images.flatten(1)[:, 0])[0] for images, _ in take("loader_w0", 3, batch_size=20)]
    assert torch.equal(epochs[0], epochs[1]), "each batch is an epoch of the 20 that are held"
    assert torch.equal(epochs[0], epochs[2])


@pytest.mark.parametrize("name", FED)
def test_a_pipeline_and_a_network_do_not_take_each_others_random_numbers(name):
    plain = take(name, 3)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with closing(INPUTS[name].pipeline()) as pipeline:
        batches = pipeline.batches(case_of(name), on_cpu())
        drawn, mixed = [], []
        for _ in range(3):
            drawn.append(torch.rand(1))
            mixed.append(next(batches))
    assert torch.equal(torch.cat(drawn), expected)
    assert same(plain, mixed)


def test_images_are_augmented_one_by_one_and_a_batch_alike(monkeypatch):
    """Equal images differ after an augmentation of each, and not after one of the batch."""
    equal = torch.randint(256, (3, SIZE, SIZE), dtype=torch.uint8)
    monkeypatch.setattr(loader.Images, "__getitem__", lambda images, _: (images._transform(equal), 0))
    assert len(torch.unique(take("augment_w0", 1)[0][0], dim=0)) == 16
    (first, _), (second, _) = take("augment_batch", 2)
    assert len(torch.unique(first, dim=0)) == 1
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", HELD)
def test_closing_leaves_no_process(name):
    if name not in FED:
        pytest.skip("needs a CUDA device")
    pipeline = INPUTS[name].pipeline()
    pipeline.close()
    for steps in (0, 3):
        batches = pipeline.batches(case_of(name), on_cpu())
        assert len(list(islice(batches, steps))) == steps
        assert len(loader_processes()) == INPUTS[name].attributes["workers"]
        started = time.monotonic()
        pipeline.close()
        assert loader_processes() == []
        assert time.monotonic() - started < GONE_S
        assert list(batches) == []
    pipeline.close()


class Breaks(Loader):
    """Images that cannot be fetched. Source: none."""

    @staticmethod
    def of_image(image_size: int) -> loader.Transform:  # noqa: ARG004 - as the base class
        def broken(image: torch.Tensor) -> torch.Tensor:
            raise OSError("the image is torn")

        return broken


def test_an_error_in_a_loader_worker_is_raised_and_closing_ends_it_all_the_same():
    pipeline = Breaks()
    batches = pipeline.batches(case_of("loader_w2"), on_cpu())
    with pytest.raises(OSError, match="the image is torn") as caught:
        next(batches)
    assert len(loader_processes()) == 2, "the traceback holds on to the loader"
    pipeline.close()
    assert loader_processes() == []
    assert caught.tb is not None


@pytest.mark.parametrize("name", WITH_WORKERS)
def test_a_pause_holds_the_workers_and_changes_no_batch(name):
    plain = take(name, 12)
    with closing(INPUTS[name].pipeline()) as pipeline:
        batches = pipeline.batches(case_of(name), on_cpu())
        mixed = []
        for _ in range(4):
            mixed += islice(batches, 3)
            pipeline.pause()
            assert becomes(lambda: [state_of(pid) for pid in loader_processes()] == ["T", "T"])
            pipeline.go_on()
        pipeline.pause()
        started = time.monotonic()
    assert time.monotonic() - started < GONE_S
    assert loader_processes() == []
    assert same(plain, mixed)


class Slow(Loader):
    """Images that take 4 ms each to fetch, so that two workers bring a batch of 16 every 32 ms. Source: none."""

    @staticmethod
    def of_image(image_size: int) -> loader.Transform:  # noqa: ARG004 - as the base class
        done = loader.normalisation()

        def slow(image: torch.Tensor) -> torch.Tensor:
            time.sleep(0.004)
            return done(image)

        return slow


def test_loader_workers_prepare_no_batches_in_a_pause():
    """Without the hold four batches would be there for nothing, and a turn of four rounds would wait for none."""
    with closing(Slow()) as pipeline:
        batches = pipeline.batches(case_of("loader_w2"), on_cpu())
        list(islice(batches, 8))
        pipeline.pause()
        time.sleep(0.4)
        pipeline.go_on()
        started = time.monotonic()
        list(islice(batches, 4))
        assert time.monotonic() - started >= 0.06, "each worker fetches a batch from its beginning, 16 times 4 ms"


@pytest.mark.parametrize("doing", ["busy", "idle", "held"])
@pytest.mark.slow
def test_loader_workers_end_with_a_killed_parent(doing):
    parent = subprocess.Popen([sys.executable, "-c", KILLED, doing], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        workers = [int(word) for word in parent.stdout.readline().split()]
    assert sorted(children(parent.pid)) == sorted(workers)
    assert len(workers) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert becomes(lambda: all(state_of(pid) in ("", "Z") for pid in workers))


def test_a_case_that_an_input_cannot_feed_is_refused_with_a_sentence(monkeypatch):
    def refusal(name: str, device: str = "cpu", **others) -> str:
        return INPUTS[name].pipeline.refusal(case_of(name, **others), device)

    assert [refusal(name) for name in FED] == [""] * len(FED)
    assert refusal("pinned_w2") == "pinned_w2 pins memory for CUDA devices, and cpu runs on cpu"
    assert refusal("pinned_w2", "cuda") == ""
    huge = "loader_w2 holds [0-9]+ bytes of batches in /dev/shm, which is [0-9]+ bytes large; enlarge it, "
    assert re.match(huge, refusal("loader_w2", batch_size=10**9))
    assert refusal("loader_w0", batch_size=10**9) == ""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    alone = "loader_w2 starts 2 loader workers, and this process may use 1 of the machine's cores"
    assert refusal("loader_w2") == alone
    assert refusal("loader_w0") == ""


def test_asking_for_a_refusal_imports_no_torch():
    code = (
        "import sys; from suite.registry import INPUTS, load_levels; from suite.records import Case; load_levels();"
        "[INPUTS[one].pipeline.refusal(Case('a', 'b', 'cpu', input=one), 'cpu') for one in INPUTS];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunRecord]:
    """Records of a real run, by input; no process of it is left."""
    folder = tmp_path_factory.mktemp("fed")
    (folder / "profiles.toml").write_text(PROFILES)
    (folder / "my_inputs.py").write_text(MY_INPUTS)
    (folder / "my_levels.py").write_text((FAKES / "my_levels.py").read_text())
    done = Desk(folder).run("--profile", "fed", "--record", "here")
    assert done.code == 0, done.out + done.err
    assert becomes(lambda: working_in(folder) == [])
    return {record.case.input: record for record in read_run(folder / "here").cases}


def working_in(folder: Path) -> list[int]:
    """Processes whose working directory is `folder`, as that of everything that a desk starts."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and os.path.lexists(f"{entry.path}/cwd"):
            try:
                if Path(entry.path, "cwd").readlink() == folder:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def values(record: RunRecord, metric: str) -> tuple[float, ...]:
    assert record.outcome == "measured", record.reason
    assert record.measurement is not None
    return record.measurement.values(metric)


@pytest.mark.parametrize("name", ["loader_w2", "augment_w2", "sleeps"])
@pytest.mark.slow
def test_in_a_real_run_every_round_waits_for_data_no_longer_than_it_lasts(fed, name):
    waits, steps = values(fed[name], "data_wait"), values(fed[name], "step_time")
    assert len(waits) == len(steps) > 0
    assert all(0 < wait <= step for wait, step in zip(waits, steps, strict=True))


@pytest.mark.slow
def test_in_a_real_run_the_wait_for_data_is_the_time_that_the_pipeline_takes(fed):
    waits, steps = values(fed["sleeps"], "data_wait"), values(fed["sleeps"], "step_time")
    assert min(waits) >= 0.02
    assert min(step - wait for wait, step in zip(waits, steps, strict=True)) < 0.01


@pytest.mark.slow
def test_a_real_run_records_what_the_pipeline_is_made_of(fed):
    expected = {"augmentation": "image", "workers": 2, "pinned": False}
    assert fed["augment_w2"].attributes["input"] == expected
