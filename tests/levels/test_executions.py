"""The executions beyond plain CPU: real processes and, where there are any, real devices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from suite.distributed.loopback import INTERFACE_VARIABLE
from suite.distributed.ranks import WAIT, Actions, RankFailed, RankGroup
from suite.levels.executions import distributed
from suite.levels.executions.distributed import Distributed
from suite.levels.executions.model_parallel import MICRO_BATCHES, ModelParallel, balanced_cut, units
from suite.machine.cuda import cuda_devices
from suite.measuring.modes import make_step
from suite.measuring.step import RESTORE_AFTER, Step
from suite.records import NUM_CLASSES, Case
from suite.records.store import read_run
from suite.registry import EXECUTIONS, OPTIMIZERS, STRUCTURES, OptimizerSpec, StructureSpec, load_levels
from tests.conftest import Desk, children
from tests.fakes.fresh import fresh_process, in_fresh_process
from tests.fakes.networks import inputs_of, network_of

load_levels()

SIZE = 28
JOINT_BATCH = 16
STEPS = 5
SAME_WITHIN = 1e-5
"""Largest absolute difference of a weight after five steps: sums in another order. Weights are up to 0.2, and a step of
that optimizer moves them by about 1e-3."""
AGREES_WITHIN = 1e-4
"""Relative difference of losses over three steps."""
SLEEP_S = 0.03
BUSY_CYCLES = 10**8
"""Cycles of a device: about 50 ms, in one kernel, so that no queue of launches is full."""
WORLDS = ("distributed_r1", "distributed", "distributed_r4")
TOKENS = Case("transformer_d2w64h4", "sgd", "cpu", task="next_token", batch_size=8)

two_ranks_on_cpu = pytest.mark.skipif(cuda_devices() > 1, reason="distributed has one rank for each GPU here")
gpus = {
    count: pytest.mark.skipif(cuda_devices() < count, reason=f"needs {count} GPUs, and there are {cuda_devices()}")
    for count in (1, 2)
}


def case_of(execution: str = "distributed", **others: Any) -> Case:
    return Case(
        **{
            "structure": "seed_cnn",
            "optimizer": "sgd_momentum",
            "execution": execution,
            "batch_size": JOINT_BATCH,
            "image_size": SIZE,
            **others,
        }
    )


def weights_of(step: Step) -> list[list[float]]:
    return [weights.detach().flatten().tolist() for weights in step.network.parameters()]


def trained(case: Case, steps: int = STEPS) -> list[list[float]]:
    """All weights after some steps."""
    with make_step(case) as step:
        for _ in range(steps):
            step()
        step.clock.read_s()
        if steps:
            step.check()
        return weights_of(step)


def largest_difference(one: list[list[float]], other: list[list[float]]) -> float:
    return max(abs(a - b) for these, those in zip(one, other, strict=True) for a, b in zip(these, those, strict=True))


def rank() -> int:
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def add_structure(name: str, on_rank_1: Any) -> None:
    """The seed network, doing something more at each forward on rank 1 alone."""

    def build(num_classes: int, image_size: int) -> nn.Module:
        network = STRUCTURES["seed_cnn"].build(num_classes, image_size)
        if rank() == 1:
            network.register_forward_pre_hook(lambda *_: on_rank_1())
        return network

    STRUCTURES.add(StructureSpec(name, build))


# distributed: what it computes


@pytest.fixture(scope="module")
def plain() -> list[list[float]]:
    """Weights that one process trains with the joint batch."""
    found = in_fresh_process(trained, case_of("cpu"))
    assert largest_difference(found, in_fresh_process(trained, case_of("cpu"), 0)) > 100 * SAME_WITHIN
    return found


@two_ranks_on_cpu
@pytest.mark.parametrize("execution", WORLDS)
def test_ranks_train_to_the_weights_of_one_process_with_the_joint_batch(execution, plain):
    assert largest_difference(in_fresh_process(trained, case_of(execution)), plain) < SAME_WITHIN


@two_ranks_on_cpu
@pytest.mark.slow
def test_ranks_train_a_transformer_to_the_weights_of_one_process():
    alone, shared = (in_fresh_process(trained, replace(TOKENS, execution=name)) for name in ("cpu", "distributed"))
    assert largest_difference(shared, alone) < SAME_WITHIN


def images_of_each_rank(case: Case) -> tuple[int, bool]:
    with make_step(case) as step:
        images, labels = next(step.batches)
        assert len(images) == len(labels)
        return len(images), images.is_contiguous() and labels.is_contiguous()


@pytest.mark.parametrize(("execution", "images"), [("distributed_r1", 16), ("distributed_r4", 4)])
def test_a_rank_takes_its_share_of_the_joint_batch_as_one_block_of_memory(execution, images):
    assert in_fresh_process(images_of_each_rank, case_of(execution)) == (images, True)


def step_with_a_planted_difference() -> str:
    def spoil(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        optimizer.param_groups[0]["params"][2].grad.view(-1)[3] *= 1.0001

    def spoilt(parameters: Any, **settings: Any) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(parameters, **settings)
        if rank() == 1:
            optimizer.register_step_pre_hook(spoil)
        return optimizer

    OPTIMIZERS.add(OptimizerSpec("spoilt", spoilt, {"lr": 0.01}))
    with make_step(case_of(optimizer="spoilt")) as step:
        step()
        step.clock.read_s()
        with pytest.raises(RankFailed) as failed:
            step.check()
    return str(failed.value)


@two_ranks_on_cpu
def test_check_finds_a_gradient_that_differs_in_one_number_on_one_rank():
    said = in_fresh_process(step_with_a_planted_difference)
    assert said == "the gradient of 3.weight differs between rank 0 and rank 1"


def rewound(case: Case) -> list[bool]:
    with make_step(case) as step:
        for _ in range(2):
            step()
        step.rewind()
        first = weights_of(step)
        again = []
        for _ in range(2):
            for _ in range(RESTORE_AFTER):
                step()
            again.append(weights_of(step))
            step.check()
            step.rewind()
            assert weights_of(step) == first
        return [again[0] != first, again[0] == again[1]]


@two_ranks_on_cpu
@pytest.mark.parametrize("structure", [pytest.param("seed_cnn", marks=pytest.mark.nightly), "residual_d2w16"])
def test_all_ranks_rewind(structure):
    # these steps are whole turns of the four batches, so that both times the same work is done
    assert in_fresh_process(rewound, case_of(structure=structure, optimizer="adam")) == [True, True]


def inferred(case: Case, steps: int) -> list[list[float]]:
    with make_step(case) as step:
        for _ in range(steps):
            step()
        step.clock.read_s()
        step.check()
        return step.logits.tolist()


@two_ranks_on_cpu
def test_a_rank_infers_its_part_of_the_joint_batch():
    case = {"mode": "infer", "structure": "residual_d2w16"}
    whole = in_fresh_process(inferred, case_of("cpu", **case), 1)
    part = in_fresh_process(inferred, case_of(**case), 1)
    assert torch.allclose(torch.tensor(whole)[0::2], torch.tensor(part), atol=1e-5)


@two_ranks_on_cpu
@pytest.mark.slow
def test_many_steps_between_two_readings_do_not_block():
    logits = in_fresh_process(inferred, case_of(mode="infer", batch_size=2, image_size=4), 3000)
    assert torch.tensor(logits).shape == (1, NUM_CLASSES), "the part of rank 0"


@two_ranks_on_cpu
@pytest.mark.nightly
def test_a_distributed_network_is_compiled():
    alone = in_fresh_process(trained, case_of("cpu"), 4 + STEPS)
    compiled = in_fresh_process(trained, case_of(tuning="compile"), timeout_s=240)  # whose making takes four steps
    assert largest_difference(alone, compiled) < 10 * SAME_WITHIN


# distributed: time, threads, globals


def step_time_with_a_sleeping_rank(case: Case) -> float:
    add_structure("sleepy", lambda: time.sleep(SLEEP_S))
    with make_step(case) as step:
        step()
        start = step.clock.read_s()
        for _ in range(STEPS):
            step()
        return (step.clock.read_s() - start) / STEPS


@two_ranks_on_cpu
@pytest.mark.parametrize("mode", ["train", "infer"])
def test_a_step_takes_as_long_as_the_slowest_rank(mode):
    step_s = in_fresh_process(step_time_with_a_sleeping_rank, case_of(structure="sleepy", mode=mode))
    assert SLEEP_S <= step_s < 5 * SLEEP_S


def globals_of_the_process() -> list[Any]:
    return [
        torch.get_num_threads(),
        torch.distributed.is_initialized(),
        os.environ.get(INTERFACE_VARIABLE),
        children(os.getpid()),
    ]


def before_during_and_after(interface: str | None, threads: int) -> tuple[list[Any], dict[str, Any], list[Any]]:
    if interface is not None:
        os.environ[INTERFACE_VARIABLE] = interface
    torch.set_num_threads(threads)
    before = globals_of_the_process()
    with make_step(case_of()) as step:
        step()
        during = step.execution.attributes()
        execution = step.execution
    after = globals_of_the_process()
    execution.end()
    assert globals_of_the_process() == after
    return before, during, after


@two_ranks_on_cpu
@pytest.mark.parametrize(("interface", "threads"), [(None, 1), ("eth7", 4)])
def test_the_end_puts_back_threads_group_and_environment(interface, threads):
    before, during, after = in_fresh_process(before_during_and_after, interface, threads)
    assert after == before
    shares = {"ranks": 2, "nodes": 1, "backend": "gloo", "threads_per_rank": max(1, threads // 2)}
    assert during == {"device": "cpu", "devices": 1, **shares}


def ended_without_beginning() -> list[Any]:
    distributed.RENDEZVOUS_S = 2.0  # of this process alone
    before = globals_of_the_process()
    Distributed().end()
    execution = Distributed()
    with pytest.raises(torch.distributed.DistError) as alone:
        execution.begin(case_of(), lambda _: 1 / 0)
    with pytest.raises(RankFailed) as failed:
        execution.end(alone.value)
    return [str(failed.value), globals_of_the_process() == before]


@pytest.mark.slow
@two_ranks_on_cpu
def test_an_execution_that_did_not_begin_or_began_half_way_ends():
    said, same = in_fresh_process(ended_without_beginning, timeout_s=30)
    assert said == "rank 1 raised ZeroDivisionError: division by zero"
    assert same


def with_a_thread() -> None:
    import threading

    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with make_step(case_of()):
            pass
    finally:
        done.set()
        thread.join()


@two_ranks_on_cpu
def test_ranks_are_not_forked_from_a_process_that_runs_threads():
    with pytest.raises(AssertionError, match="this process has 1 thread running already; use a fresh one"):
        in_fresh_process(with_a_thread)


# distributed: the processes


@contextmanager
def counting() -> Iterator[Actions]:
    """A rank's work: it counts, and its wait ends with an error at three."""
    count = 0

    def up() -> None:
        nonlocal count
        count += 1

    def wait() -> None:
        if count == 3:
            raise ValueError("three")

    yield {b"u": up, WAIT: wait}


def commands_and_failures() -> list[Any]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    ranks = RankGroup()
    for number in (1, 2):
        ranks.fork(number, counting)
    for _ in range(100_000):
        ranks.send(b"u")
    ranks.wait()
    healthy = ranks.find_fault()
    ranks.dismiss(at_once=False)
    ranks.end()
    ranks.fork(5, counting)
    ranks.send(b"uuu")
    with pytest.raises(RankFailed) as failed:
        ranks.wait()
    again = ranks.find_fault()
    ranks.dismiss(at_once=True)
    ranks.end()
    ranks.end()
    return [
        healthy,
        str(failed.value),
        again,
        len(list(Path("/proc/self/fd").iterdir())) - before,
        children(os.getpid()),
    ]


@contextmanager
def stuck() -> Iterator[Actions]:
    """The work of a rank whose device waits for another rank for ever."""
    yield {WAIT: lambda: time.sleep(600)}


@contextmanager
def dying() -> Iterator[Actions]:
    """The work of a rank that is killed."""
    yield {WAIT: lambda: os.kill(os.getpid(), signal.SIGKILL)}


def fault_of_a_rank_for_which_another_waits() -> str:
    ranks = RankGroup()
    ranks.fork(1, stuck)
    ranks.fork(2, dying)
    try:
        with pytest.raises(RankFailed) as failed:
            ranks.wait(in_any_order=True)
        return str(failed.value)
    finally:
        ranks.dismiss(at_once=True)
        ranks.end()


def test_a_rank_that_dies_is_named_though_the_device_of_another_waits_for_it():
    said = in_fresh_process(fault_of_a_rank_for_which_another_waits, timeout_s=60)
    assert said == "rank 2 was killed by signal 9 (SIGKILL)"


def test_ranks_obey_and_fail_and_leave_neither_process_nor_descriptor():
    said = "rank 5 raised ValueError: three"
    assert in_fresh_process(commands_and_failures) == ["", said, said, 0, []]


# distributed: failures


def step_with(what: str) -> tuple[str, float]:
    """The error, and the seconds to it, after something happens to rank 1 in its third forward."""
    faults = {
        "raises": lambda: (_ for _ in ()).throw(ValueError("the forward broke\nin two lines")),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "exits": lambda: os._exit(3),
    }
    left = [1, 1, 0]
    add_structure("faulty", lambda: None if left.pop(0) else faults[what]())
    case = case_of(structure="faulty", execution="distributed_r4" if what == "killed" else "distributed")
    start = 0.0
    try:
        with make_step(case) as step:
            step()
            step.clock.read_s()
            start = time.monotonic()
            for _ in range(100):
                step()
            step.clock.read_s()
    except RankFailed as error:
        assert children(os.getpid()) == []
        return str(error), time.monotonic() - start
    raise AssertionError("100 steps were done")


@two_ranks_on_cpu
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("raises", "rank 1 raised ValueError: the forward broke"),
        ("killed", "rank 1 was killed by signal 9 (SIGKILL)"),
        ("exits", "rank 1 ended with exit status 3"),
    ],
)
def test_a_rank_that_fails_is_named_at_once_with_the_reason(what, said):
    reason, took_s = in_fresh_process(step_with, what)
    assert reason == said
    assert took_s < 5


def step_until_killed(link_to: str) -> None:
    with make_step(case_of("distributed_r4")) as step:
        step()
        step.clock.read_s()
        Path(link_to).write_text(" ".join(map(str, children(os.getpid()))))
        while True:
            step()


def test_a_worker_that_is_killed_leaves_no_rank(tmp_path):
    told = tmp_path / "ranks"
    with fresh_process(step_until_killed, str(told)) as (process, _):
        assert until(lambda: told.exists() and told.read_text())
        ranks = [int(pid) for pid in told.read_text().split()]
        assert len(ranks) == 3
        process.kill()
        process.join()
        assert until(lambda: not any(map(alive, ranks)))


def until(true: Any, within_s: float = 30) -> bool:
    deadline = time.monotonic() + within_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(true())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


PROFILE = """
[ranks]
structures = ["seed_cnn"]
optimizers = ["sgd_momentum"]
executions = ["distributed"]
batch_sizes = [16]
passes = 1
target_precision = 0.001
case_seconds = 8
"""


def running_with_ranks(desk: Desk, *words: str) -> tuple[subprocess.Popen[bytes], int, int]:
    """A real run, its worker, and the worker's other rank, during its rounds."""
    with (desk.folder / "profiles.toml").open("a") as profiles:
        profiles.write(PROFILE)
    running = desk.start("--profile", "ranks", "--record", "here", *words)

    def ranks() -> list[tuple[int, int]]:
        workers = [worker for zygote in children(running.pid) for worker in children(zygote)]
        return [(worker, other) for worker in workers for other in children(worker)]

    assert until(ranks, within_s=60)
    time.sleep(2)
    return running, *ranks()[0]


@two_ranks_on_cpu
@pytest.mark.slow
def test_a_rank_killed_in_a_run_fails_its_case_and_leaves_no_process(desk: Desk):
    running, worker, other = running_with_ranks(desk)
    start = time.monotonic()
    os.kill(other, signal.SIGKILL)
    assert running.wait(timeout=60) == 1
    assert time.monotonic() - start < 15
    assert until(lambda: not alive(worker) and not alive(other))
    (record,) = read_run(desk.folder / "here").cases
    assert (record.outcome, record.reason) == ("failed", "RankFailed: rank 1 was killed by signal 9 (SIGKILL)")


@two_ranks_on_cpu
@pytest.mark.nightly
def test_a_worker_killed_in_a_run_leaves_no_rank_and_is_replaced(desk: Desk):
    running, worker, other = running_with_ranks(desk)
    os.kill(worker, signal.SIGKILL)
    assert until(lambda: not alive(other), within_s=5)
    assert running.wait(timeout=120) == 0
    (record,) = read_run(desk.folder / "here").cases
    assert record.outcome == "measured"


@two_ranks_on_cpu
@pytest.mark.slow
def test_a_run_with_ranks_is_measured_and_leaves_no_process(desk: Desk):
    running, worker, other = running_with_ranks(desk, "--case-seconds", "2")
    assert running.wait(timeout=120) == 0
    assert until(lambda: not alive(worker) and not alive(other), within_s=5)
    (record,) = read_run(desk.folder / "here").cases
    assert record.outcome == "measured"
    assert record.attributes["execution"]["ranks"] == 2


# refusals


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            case_of("distributed_r4", batch_size=6),
            "distributed_r4 shares a batch among 4 ranks, which do not divide 6 images",
        ),
        (
            case_of("distributed_r4", optimizer="lbfgs"),
            "lbfgs calls its closure a different number of times on each rank, which would deadlock",
        ),
        (case_of("distributed_r4", optimizer="lbfgs", mode="infer"), ""),
        (
            case_of("distributed_r4", optimizer="lbfgs", mode="learn"),
            "lbfgs calls its closure a different number of times on each rank, which would deadlock",
        ),
        (case_of("distributed_r1", optimizer="lbfgs", batch_size=7), ""),
        (
            case_of("distributed_r4", tuning="cuda_graph"),
            "cuda_graph with distributed_r4 needs a network that was wrapped on the stream of the capture",
        ),
    ],
    ids=lambda one: one.id if isinstance(one, Case) else "",
)
def test_cases_that_ranks_cannot_share_are_refused(case, said):
    assert EXECUTIONS[case.execution].strategy.refusal(case) == said


@pytest.mark.skipif(cuda_devices() > 0, reason="there is a GPU")
@pytest.mark.parametrize(
    ("execution", "said"),
    [
        ("cuda", "cuda needs a CUDA device, and this machine has none"),
        ("data_parallel", "data_parallel needs 2 CUDA devices; without one, torch runs the plain network"),
        ("model_parallel", "model_parallel needs 2 CUDA devices, and this machine has none"),
    ],
)
def test_without_a_gpu_its_executions_are_refused(execution, said):
    assert EXECUTIONS[execution].strategy.refusal(case_of(execution)) == said


def test_refusals_and_device_types_need_no_torch():
    code = """
import sys
from suite.records import Case
from suite.registry import EXECUTIONS, load_levels
load_levels()
for name in EXECUTIONS:
    EXECUTIONS[name].strategy.refusal(Case("seed_cnn", "sgd", name))
    EXECUTIONS[name].strategy.device_type()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", list(EXECUTIONS))
def test_a_refusal_is_one_sentence_without_a_full_stop(name):
    said = EXECUTIONS[name].strategy.refusal(case_of(name, batch_size=3))
    assert "\n" not in said
    assert not said.endswith(".")


# model_parallel: its real code, on two devices that every machine has


class OnTheHost(ModelParallel):
    """Both parts on the host. Source: none."""

    @staticmethod
    def device_type() -> str:
        return "cpu"

    @staticmethod
    def refusal(case: Case) -> str:
        return ModelParallel.misfit(case)

    def devices(self) -> list[torch.device]:
        return [torch.device("cpu"), torch.device("cpu")]


class HalfNowhere(OnTheHost):
    """The second part on the device without memory, where shapes and devices are checked all the same."""

    def devices(self) -> list[torch.device]:
        return [torch.device("cpu"), torch.device("meta")]


def losses(case: Case, execution: Any = None, steps: int = 3) -> list[float]:
    found = []
    with make_step(case, execution) as step:
        for _ in range(steps):
            step()
            found.append(float(step.loss.detach()))
        step.check()
    return found


@pytest.mark.parametrize("batch_size", [4, 16, 18])
def test_a_split_network_agrees_with_plain_cpu(batch_size):
    case = case_of("cpu", batch_size=batch_size)
    assert losses(case, OnTheHost()) == pytest.approx(losses(case), rel=AGREES_WITHIN)


def test_a_batch_passes_in_micro_batches_and_keeps_the_order_of_its_images():
    seen = []
    network = STRUCTURES["seed_cnn"].build(10, SIZE).eval()
    images = torch.randn(18, 3, SIZE, SIZE)
    with torch.no_grad():
        whole = network(images)
        network[0].register_forward_hook(lambda *called: seen.append(len(called[2])))
        parts = OnTheHost().place(network)(images)
    assert seen == [5, 5, 4, 4]
    assert len(seen) == MICRO_BATCHES
    assert torch.allclose(whole, parts, atol=1e-6)


def test_a_split_transformer_agrees_with_plain_cpu():
    assert losses(TOKENS, OnTheHost()) == pytest.approx(losses(TOKENS), rel=AGREES_WITHIN)


def test_inputs_and_outputs_with_names_pass_in_micro_batches():
    class Sides(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 2), nn.Linear(4, 2)

        def forward(self, left, right):
            return {"sum": self.left(left) + self.right(right)}

    network = Sides().eval()
    inputs = {"left": torch.randn(18, 3), "right": torch.randn(18, 4)}
    with torch.no_grad():
        whole, parts = network(**inputs)["sum"], OnTheHost().place(network)(**inputs)["sum"]
    assert torch.allclose(whole, parts, atol=1e-6)


OF_TORCHVISION = [name for name in STRUCTURES if STRUCTURES[name].attributes.get("family") == "torchvision"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in OF_TORCHVISION)) for name in STRUCTURES]
)
def test_every_structure_can_be_split_over_two_devices(name):
    size = max(32, STRUCTURES[name].min_image_size)
    execution = HalfNowhere()
    split = execution.place(network_of(name, size).eval())
    assert {weights.device.type for weights in split.parameters()} == {"cpu", "meta"}
    logits = split.whole(inputs_of(name, 2, size))
    assert (logits.device.type, len(logits)) == ("meta", 2)


def test_a_network_of_one_unit_cannot_be_split():
    with pytest.raises(ValueError, match="a network of 1 units with weights cannot be split over 2 devices"):
        OnTheHost().place(nn.Sequential(nn.Flatten(), nn.Linear(3, 3), nn.ReLU()))


@pytest.mark.parametrize(
    ("sizes", "cut"), [([1, 1], 1), ([1, 1, 1, 1], 2), ([9, 1, 1, 1], 1), ([1, 1, 1, 9], 3), ([0, 5, 5, 0], 2)]
)
def test_the_cut_makes_the_larger_side_as_small_as_can_be(sizes, cut):
    assert balanced_cut(sizes) == cut


def test_nested_sequences_are_flattened_into_units_in_order():
    one, two, three = nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)
    nested = nn.Sequential(nn.Sequential(nn.Sequential(one), two), three)
    assert list(units(nested)) == [one, two, three]


def test_a_batch_smaller_than_the_micro_batches_is_refused():
    said = ModelParallel.misfit(case_of("model_parallel", batch_size=3))
    assert said == "model_parallel splits a batch into 4 micro-batches, and 3 images are fewer"


# with GPUs


def agrees_with_cpu(execution: str) -> tuple[list[float], list[float], dict[str, Any]]:
    case = case_of(execution)
    said = EXECUTIONS[execution].strategy.refusal(case)
    assert not said, said
    plain = losses(case_of("cpu"))
    with make_step(case) as step:
        facts = step.execution.attributes()
    return losses(case), plain, facts


def assert_agrees(execution: str) -> dict[str, Any]:
    found, plain, facts = in_fresh_process(agrees_with_cpu, execution, timeout_s=180)
    assert found == pytest.approx(plain, rel=AGREES_WITHIN)
    return facts


@pytest.mark.gpu
@gpus[1]
def test_cuda_agrees_with_plain_cpu_and_names_its_device():
    facts = assert_agrees("cuda")
    assert facts["name"]
    assert facts["capability"].count(".") == 1


def times_on_cuda() -> tuple[float, float]:
    """Seconds of steps that keep the device busy, by the clock and without waiting for the device."""
    with make_step(case_of("cuda")) as step:
        for _ in range(3):
            step()
        start = step.clock.read_s()
        for _ in range(STEPS):
            step()
            torch.cuda._sleep(BUSY_CYCLES)
        given_out_s = time.perf_counter() - start
        return step.clock.read_s() - start, given_out_s


@pytest.mark.gpu
@gpus[1]
def test_the_clock_of_cuda_waits_for_the_device():
    done_s, given_out_s = in_fresh_process(times_on_cuda, timeout_s=180)
    assert done_s > 1.5 * given_out_s


@pytest.mark.gpu
@gpus[2]
def test_data_parallel_agrees_with_plain_cpu_and_says_what_it_is():
    facts = assert_agrees("data_parallel")
    assert (facts["devices"], facts["replicas"]) == (cuda_devices(), "one for each device")


def loss_in_bf16(execution: str) -> float:
    (loss,) = losses(case_of(execution, tuning="bf16"), steps=1)
    return loss


@pytest.mark.gpu
@gpus[2]
def test_data_parallel_computes_in_bfloat16_as_one_device_does():
    """In float16 the loss would differ by less, and overflow where bfloat16 does not."""
    one, shared = (in_fresh_process(loss_in_bf16, name, timeout_s=180) for name in ("cuda", "data_parallel"))
    assert shared == pytest.approx(one, rel=AGREES_WITHIN)


@pytest.mark.gpu
@gpus[2]
def test_model_parallel_agrees_with_plain_cpu_and_uses_both_devices():
    facts = assert_agrees("model_parallel")
    assert facts["first_bytes"] > 0
    assert facts["second_bytes"] > 0


@pytest.mark.gpu
@gpus[2]
def test_distributed_agrees_with_plain_cpu_over_nccl():
    found, plain = (in_fresh_process(trained, case_of(name), timeout_s=180) for name in ("distributed", "cpu"))
    assert largest_difference(found, plain) < 100 * SAME_WITHIN
