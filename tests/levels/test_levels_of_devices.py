"""Levels for devices on a machine without one: which of torch's functions they call, with what, and in which order.

Torch's own classes are replaced where they need a driver. `test_two_devices.py` runs the executions on devices that a
backend for tests simulates, and tests marked `gpu` run them on real ones.
"""

from __future__ import annotations

import os
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from suite.contracts import float32, phase_hook
from suite.contracts.execution import Execution
from suite.contracts.float32 import IEEE, TF32, computing_in
from suite.contracts.placement import Placement
from suite.levels import optimizers
from suite.levels.executions import data_parallel
from suite.levels.executions.cuda import Cuda
from suite.levels.executions.data_parallel import DataParallel, within
from suite.levels.executions.distributed import Distributed
from suite.levels.tunings import graphs
from suite.levels.tunings.graphs import Compile, CudaGraph
from suite.levels.tunings.precision import Fp16, IeeeFloat32, Tf32
from suite.matrix.refusals import refusal
from suite.measuring import step as steps
from suite.measuring.instruments import roofline
from suite.measuring.instruments.breakdown import clock_of
from suite.measuring.instruments.memory import least_memory
from suite.measuring.modes import attributes_of, make_step
from suite.records import Case
from suite.registry import TUNINGS, load_levels

load_levels()


def case_of(execution: str = "cpu", **others: Any) -> Case:
    return Case(
        **{
            "structure": "seed_cnn",
            "optimizer": "sgd_momentum",
            "execution": execution,
            "batch_size": 4,
            "image_size": 8,
            **others,
        }
    )


class LikeADevice(Execution):
    """The host, which says that it is a CUDA device. Source: none."""

    @classmethod
    def device_type(cls) -> str:
        return "cuda"

    def device(self) -> torch.device:
        return torch.device("cpu")

    def wait(self) -> None:
        pass


# cuda_graph


class Stream:
    """A stream of a device."""

    def wait_stream(self, other: Stream) -> None:
        assert other is not self


class Captures:
    """The captures of `torch.cuda`, which run their steps on the host.

    Attributes:
        made: the arguments of each capture.
        stream: the current one.
        replays: how often a graph was replayed.
    """

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self.stream = Stream()
        self.capturing = False
        self.replays = 0

    @contextmanager
    def on(self, stream: Stream) -> Iterator[None]:
        before, self.stream = self.stream, stream
        yield
        self.stream = before

    @contextmanager
    def capture(self, _: object, stream: Stream | None = None, **more: Any) -> Iterator[None]:
        self.made.append(more)
        self.capturing = True
        with self.on(stream or Stream()):  # torch's own default is a stream of the class, which no step ran on
            yield
        self.capturing = False

    def replay(self) -> None:
        self.replays += 1


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> Captures:
    found = Captures()
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: found.stream)
    monkeypatch.setattr(torch.cuda, "stream", found.on)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=found.replay))
    monkeypatch.setattr(torch.cuda, "graph", found.capture)
    return found


def test_a_graph_is_captured_on_the_stream_of_its_warm_up_where_its_gradients_accumulate(captures):
    ran_on: list[Stream] = []
    tuning = CudaGraph("cuda")
    for _ in range(2):
        tuning.drive(lambda *_: ran_on.append(captures.stream), torch.ones(2), torch.ones(2))
    assert len(ran_on) == CudaGraph.WARMUP_STEPS + 1
    assert len(set(map(id, ran_on))) == 1
    assert captures.stream is not ran_on[0]
    assert captures.replays == 2


def test_a_capture_goes_on_while_another_thread_pins_memory(captures):
    CudaGraph("cuda").drive(lambda *_: None, torch.ones(2), torch.ones(2))
    assert captures.made == [{"capture_error_mode": "thread_local"}]


def test_a_captured_step_frees_its_gradients_as_an_eager_one_does(captures):
    freed: list[tuple[bool, bool]] = []
    with make_step(case_of(tuning="cuda_graph")) as step:
        zero_grad = step.optimizer.zero_grad

        def noted(set_to_none: bool = True) -> None:
            zero_grad(set_to_none=set_to_none)
            freed.append((captures.capturing, all(one.grad is None for one in step.network.parameters())))

        step.optimizer.zero_grad = noted
        step()
    assert freed == [*[(False, True)] * CudaGraph.WARMUP_STEPS, (True, True)]


def test_bytes_that_a_captured_forward_saves_are_unknown_and_not_zero(captures):
    with make_step(case_of(tuning="cuda_graph")) as step:
        step()
        names = [one.metric.name for one in least_memory(step)]
    assert "saved_bytes" not in names
    assert "gradient_bytes" in names


# data_parallel


@pytest.mark.parametrize(
    ("devices", "batch_size", "said"),
    [
        (0, 4, "data_parallel needs 2 CUDA devices; without one, torch runs the plain network"),
        (1, 4, "data_parallel needs 2 CUDA devices to share a batch, and this machine has 1"),
        (2, 4, ""),
        (8, 4, "data_parallel shares a batch among 8 devices, and 4 images are fewer"),
    ],
)
def test_data_parallel_wants_devices_to_share_a_batch_among(monkeypatch, devices, batch_size, said):
    monkeypatch.setattr(data_parallel, "cuda_devices", lambda: devices)
    assert DataParallel.refusal(case_of("data_parallel", batch_size=batch_size)) == said


def in_threads(replicas: Any, inputs: Any, kwargs: Any, _: Any) -> list[Any]:
    """Torch's `parallel_apply` as it was read, on the host: a thread for each replica, in autocast without a type."""
    found: list[Any] = [None] * len(replicas)

    def run(place: int) -> None:
        with torch.autocast("cpu"):
            found[place] = replicas[place](*inputs[place], **kwargs[place])

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(replicas))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_replicas_compute_in_the_precision_of_the_thread_that_calls_them(monkeypatch, dtype):
    """The default type of autocast is bfloat16 on the host, and float16 on a CUDA device."""
    monkeypatch.setattr(import_module("torch.nn.parallel.data_parallel"), "parallel_apply", in_threads)
    layer = nn.Linear(3, 2)
    replicated = data_parallel.in_replicas(layer, [torch.device("cpu")])
    inputs = [(torch.randn(4, 3),)] * 2
    with torch.autocast("cpu", dtype):
        outputs = replicated.parallel_apply([layer, layer], inputs, [{}, {}])
    assert [one.dtype for one in outputs] == [dtype] * 2


def test_a_call_enters_a_new_context_each_time():
    entered = []

    @contextmanager
    def context() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    call = within(context, lambda one, other=0: one + other)
    assert [call(1), call(1, other=2)] == [1, 3]
    assert entered == ["in", "out"] * 2


# distributed


def test_a_tuning_is_made_without_a_question_to_the_driver_after_which_no_rank_can_be_forked(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device: asked.append(device) or SimpleNamespace())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: asked.append("driver"))
    made = [TUNINGS[name].strategy("cuda") for name in TUNINGS]
    assert asked == []
    (scaling,) = [one for one in made if isinstance(one, Fp16)]
    assert scaling.scaler is scaling.scaler
    assert asked == ["cuda"]


def test_rank_0_hears_of_a_rank_that_died_before_it_waits_for_its_device(monkeypatch):
    heard: list[str] = []
    execution = Distributed()
    monkeypatch.setattr(Distributed, "device_type", classmethod(lambda _: "cuda"))
    monkeypatch.setattr(execution._others, "wait", lambda *, in_any_order: heard.append(f"others {in_any_order}"))
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda device: heard.append(str(device)))
    execution.clock().read_s()
    assert heard == ["others True", "cuda:0"]


# clocks of several devices


class TwoDevices(Cuda):
    """Two devices. Source: none."""

    def devices(self) -> list[torch.device]:
        return [torch.device("cuda", 0), torch.device("cuda", 1)]


@pytest.mark.parametrize(
    "read_of", [lambda one: one.clock().read_s, clock_of], ids=["of rounds", "of the phases of a step"]
)
def test_a_clock_waits_for_every_device_of_an_execution(monkeypatch, read_of: Callable[[Any], Callable[[], float]]):
    waited_for: list[str] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda device: waited_for.append(str(device)))
    read_of(TwoDevices())()
    assert waited_for == ["cuda:0", "cuda:1"]


def test_the_host_waits_for_nothing(monkeypatch):
    monkeypatch.delattr(torch.accelerator, "synchronize")
    Execution().wait()


# the precision of float32


@pytest.fixture
def _flags() -> Iterator[None]:
    """Torch's flags as they were."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = True


def old_and_new() -> tuple[Any, ...]:
    new = torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision
    return (*new, float32.old_flags())


@pytest.mark.usefixtures("_flags")
def test_convolutions_of_eager_steps_are_in_tf32_by_torchs_default_and_products_are_not():
    assert float32.precisions() == (IEEE, TF32)


@pytest.mark.usefixtures("_flags")
@pytest.mark.parametrize("word", ["highest", "high", "medium"])
@pytest.mark.parametrize(("tuning", "precision"), [(Tf32, TF32), (IeeeFloat32, IEEE)])
def test_a_tuning_sets_products_and_convolutions_and_leaves_all_flags_as_it_found_them(tuning, precision, word):
    torch.set_float32_matmul_precision(word)
    try:
        before = (*old_and_new(), torch.get_float32_matmul_precision())
        with tuning("cuda").setting():
            assert float32.precisions() == (precision, precision)
            allowed = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
            assert allowed == (precision == TF32,) * 2, "old flags say the same"
        assert (*old_and_new(), torch.get_float32_matmul_precision()) == before
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("_flags")
@pytest.mark.parametrize(("tuning", "precision"), [(Tf32, TF32), (IeeeFloat32, IEEE)])
def test_a_tuning_sets_them_where_new_flags_disagree_with_old_ones(tuning, precision):
    torch.backends.cuda.matmul.fp32_precision = TF32
    try:
        assert float32.old_flags() is None, "reading an old flag raises"
        before = old_and_new()
        with tuning("cuda").setting():
            assert float32.precisions() == (precision, precision)
        assert old_and_new() == before
    finally:
        torch.backends.cuda.matmul.fp32_precision = "none"
        torch.backends.cudnn.conv.fp32_precision = TF32


@pytest.mark.usefixtures("_flags")
@pytest.mark.parametrize(
    ("tuning", "products", "convolutions"),
    [("eager", IEEE, TF32), ("bf16", IEEE, TF32), ("tf32", TF32, TF32), ("ieee_float32", IEEE, IEEE)],
)
def test_a_case_on_cuda_names_the_precision_of_its_products_and_convolutions(tuning, products, convolutions):
    case = case_of(tuning=tuning)
    with make_step(case, LikeADevice()) as step:
        found = attributes_of(case, step)["tuning"]
    assert (found["float32_products"], found["float32_convolutions"]) == (products, convolutions)


def test_a_case_on_the_host_names_no_such_precision():
    case = case_of()
    with make_step(case) as step:
        assert set(attributes_of(case, step)["tuning"]) == set(TUNINGS["eager"].attributes)


def test_ieee_float32_is_refused_on_the_host():
    assert refusal(case_of(tuning="ieee_float32")) == "ieee_float32 is for CUDA devices, and cpu runs on cpu"


@pytest.mark.usefixtures("_flags")
@pytest.mark.parametrize(
    ("setting", "kind", "dtype", "precision", "said"),
    [
        (computing_in(IEEE, TF32), "cuda", torch.float32, TF32, " in tf32"),
        (computing_in(TF32, TF32), "cuda", torch.float32, TF32, " in tf32"),
        (computing_in(IEEE, IEEE), "cuda", torch.float32, IEEE, " in ieee"),
        (computing_in(IEEE, TF32), "cuda", torch.bfloat16, TF32, ""),
        (computing_in(IEEE, TF32), "cpu", torch.float32, IEEE, ""),
    ],
)
def test_the_product_of_a_ceiling_has_the_precision_of_convolutions(setting, kind, dtype, precision, said):
    with setting, roofline.precision_of_product(kind, dtype) as words:
        assert float32.precisions()[0] == precision
        assert words == said


def test_a_ceiling_multiplies_random_numbers(monkeypatch):
    multiplied: list[torch.Tensor] = []
    monkeypatch.setattr(roofline, "PRODUCT_SIDE", {"cpu": 8})
    monkeypatch.setattr(roofline, "COPIED_BYTES", {"cpu": 64})
    monkeypatch.setattr(torch, "mm", lambda one, _, out: multiplied.append(one) or out)
    roofline.measure_ceilings(case_of())
    assert all(one.unique().numel() == one.numel() for one in multiplied)
    assert multiplied


# data_wait


class Hours:
    """A clock that moves when something takes time."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(("execution", "waited_s"), [(None, 12.0), (LikeADevice, 2.0)])
def test_the_wait_for_data_on_a_device_is_without_the_copy_which_waits_for_earlier_steps(
    monkeypatch, execution, waited_s
):
    hours, copy = Hours(), Placement._copy
    monkeypatch.setattr(steps, "perf_counter", hours)
    monkeypatch.setattr(phase_hook, "perf_counter", hours)

    def slow(*arguments: Any) -> Any:
        hours.now_s += 5.0
        return copy(*arguments)

    monkeypatch.setattr(Placement, "_copy", slow)
    with make_step(case_of(input="loader_w0"), execution() if execution else None) as step:
        of_pipeline = step.batches

        def fetched() -> Iterator[Any]:
            while True:
                hours.now_s += 1.0
                yield next(of_pipeline)

        step.batches = fetched()
        step.take()
        step.take()
        (waited,) = [one for one in step.probes if one.metric.name == "data_wait"]
        assert waited.read() == waited_s
        assert ("without the copy" in waited.metric.description) == (execution is not None)


class Moved:
    """A tensor whose copies are counted."""

    def __init__(self) -> None:
        self.moved: list[tuple[Any, ...]] = []

    def to(self, *arguments: Any, **named: Any) -> Moved:
        self.moved.append((*arguments, named))
        return self


def test_a_copy_before_a_transform_counts_as_a_copy():
    hooked: list[str] = []
    hook = lambda name, phase: hooked.append(name) or phase  # noqa: E731
    on_device = Placement(torch.device("meta"), torch.contiguous_format, hook=hook)
    tensor = Moved()
    assert on_device.move(tensor, non_blocking=True) is tensor
    assert (tensor.moved, hooked) == ([(torch.device("meta"), {"non_blocking": True})], ["copy"])
    Placement(torch.device("cpu"), torch.contiguous_format, hook=hook).move(tensor)
    assert hooked == ["copy"]


# refusals


@pytest.mark.parametrize(("text", "refused"), [("cuda_unsupported=True", True), ("cuda_unsupported=False", False)])
def test_a_fused_adagrad_is_refused_on_cuda_where_the_installed_torch_would_refuse_it(
    monkeypatch, tmp_path, text, refused
):
    (tmp_path / "optim").mkdir()
    (tmp_path / "optim" / "adagrad.py").write_text(f"_device_dtype_check_for_fused(p, {text})")
    monkeypatch.setattr(optimizers, "find_spec", lambda _: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    monkeypatch.setattr(Cuda, "refusal", classmethod(lambda *_: ""))
    optimizers.adagrad_refuses_cuda.cache_clear()
    try:
        said = f"Adagrad of torch {version('torch')} has no fused step for CUDA devices; install a later torch"
        assert refusal(case_of("cuda", optimizer="adagrad_fused")) == (said if refused else "")
        assert refusal(case_of("cuda", optimizer="adagrad_fused", mode="infer")) == ""
        assert refusal(case_of("cuda", optimizer="adagrad_foreach")) == ""
        assert refusal(case_of("cpu", optimizer="adagrad_fused")) == ""
    finally:
        optimizers.adagrad_refuses_cuda.cache_clear()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Installs a command of a name in a folder that alone is searched for commands."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("CC", "CXX"):
        monkeypatch.delenv(variable, raising=False)

    def install(name: str) -> None:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)

    return install


def test_a_compiled_network_on_a_device_wants_a_c_compiler_and_the_header_of_python(
    monkeypatch, tmp_path, installed: Callable[[str], None]
):
    on_host = lambda: Compile.refusal(case_of(tuning="compile"), "cpu")  # noqa: E731
    on_device = lambda: Compile.refusal(case_of(tuning="compile"), "cuda")  # noqa: E731
    said = "compile needs a C++ compiler, and neither $CXX nor g++ nor clang++ is installed"
    assert (on_host(), on_device()) == (said, said)
    installed("clang++")
    said = "compile on cuda needs a C compiler, and neither $CC nor gcc nor clang is installed"
    assert (on_host(), on_device()) == ("", said)
    installed("my-cc")
    monkeypatch.setenv("CC", "my-cc")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    said = f"compile on cuda needs Python's header, and there is no {tmp_path / 'Python.h'}"
    assert (on_host(), on_device()) == ("", said)
    (tmp_path / "Python.h").touch()
    assert (on_host(), on_device()) == ("", "")


def test_the_compilers_that_a_variable_names_come_first(monkeypatch, installed: Callable[[str], None]):
    installed("other")
    assert not graphs.has_compiler(("$CXX", "g++"))
    monkeypatch.setenv("CXX", "other")
    assert graphs.has_compiler(("$CXX", "g++"))
    assert os.environ["CXX"] == "other"
