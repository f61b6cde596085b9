"""Every path of the suite on a device, once, the most telling first: `first.py` runs each item in a process.

An item returns its findings. It raises `Differs` if it ran and computed something else than it should, and `Refused`
if the suite refuses its case here.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

DRY = bool(os.environ.get("STEPMARK_DRY"))
"""Whether the items run on the host's cores, to try the scripts out."""
DEVICE = "cpu" if DRY else "cuda"
AGREES_WITHIN = 1e-4
"""Relative difference of losses from those of the host's cores that the tests allow."""
BATCH_NORM = "residual_d4w32"
ITEM_S, START_S, LONG_S = (240.0, 480.0, 480.0) if DRY else (45.0, 90.0, 120.0)
"""Most seconds for an item; for one that starts workers; for one that compiles, or goes through a whole registry."""
TUNINGS = ("fp16", "cuda_graph", "tf32", "cudnn_benchmark", "bf16", "channels_last")
INFERRING = ("cuda_graph", "fp16", "bf16", "inference_mode", "tf32")
INPUTS = ("loader_w2", "augment_batch", "augment_w2", "loader_w0")
INSTRUMENTS = ("memory", "utilization", "anatomy", "work")
Found = dict[str, Any]


class Differs(Exception):
    """The item ran, but computed something else than it should."""


class Refused(Exception):
    """The suite refuses the case on this machine."""


class Item(NamedTuple):
    """A name, the seconds that it may take, the work, and whether it has to run alone."""

    name: str
    limit_s: float
    run: Callable[[], Found]
    alone: bool = False


def case(structure: str = "seed_cnn", optimizer: str = "sgd", execution: str = DEVICE, **others: Any) -> Any:
    """A small case; raises `Refused` with the suite's reason."""
    from suite.matrix.refusals import refusal
    from suite.records import Case

    made = Case(structure, optimizer, execution, **{"batch_size": 16, "image_size": 28, **others})
    if reason := refusal(made):
        raise Refused(reason)
    return made


def losses(step: Any, count: int) -> list[float]:
    """Losses of some steps."""
    step.pipeline.go_on()  # `check` holds the processes that feed it
    found = []
    for _ in range(count):
        step()
        found.append(float(step.loss.detach()))
    step.check()
    return found


def largest(found: list[float], plain: list[float]) -> float:
    """The largest relative difference."""
    return max(abs(one - other) / abs(other) for one, other in zip(found, plain, strict=True))


def timed(step: Any, count: int = 30) -> dict[str, float]:
    """Milliseconds of a step: waited for once, waited for at each step, and only launched."""
    step.pipeline.go_on()
    wait = step.clock.read_s
    for _ in range(5):
        step()
    start = wait()
    for _ in range(count):
        step()
    launched_s = time.perf_counter() - start
    together_s = wait() - start
    start = wait()
    for _ in range(count):
        step()
        wait()
    each_s = time.perf_counter() - start
    step.check()
    ms = 1e3 / count
    return {
        "ms": round(together_s * ms, 4),
        "ms_waiting_each": round(each_s * ms, 4),
        "ms_launched": round(launched_s * ms, 4),
    }


def surroundings() -> Found:
    """Whether a forked process may use the device, and whether torch sees what the driver said."""
    import torch

    from suite.machine import cuda

    if DRY:
        return {"dry": True, "torch": torch.__version__}
    if torch.cuda._is_in_bad_fork():
        raise Differs("the process that forks has initialised CUDA")
    start = time.perf_counter()
    torch.cuda.init()
    init_s = time.perf_counter() - start
    torch.zeros(1, device="cuda").add_(1)
    torch.cuda.synchronize()
    context_s = time.perf_counter() - start - init_s
    free, total = torch.cuda.mem_get_info()
    indices = range(torch.cuda.device_count())
    uuids = [str(torch.cuda.get_device_properties(index).uuid) for index in indices]
    asked = [device.uuid for device in cuda.driver().devices]
    if uuids != asked:
        raise Differs(f"torch sees {uuids}, and the driver said {asked}")
    return {
        "name": torch.cuda.get_device_name(0),
        "init_s": round(init_s, 3),
        "context_s": round(context_s, 3),
        "used_bytes_with_context": total - free,
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "cudnn": torch.backends.cudnn.version(),
        "conv_precision": torch.backends.cudnn.conv.fp32_precision,
        "matmul_precision": torch.backends.cuda.matmul.fp32_precision,
    }


def facts() -> Found:
    """Facts about the devices that a record holds; those that the driver does not give."""
    from suite.machine.device_facts import facts_of_devices

    found = facts_of_devices()
    return {"devices": found, "unknown": [name for one in found.values() for name in one if one[name] is None]}


def cold_start(structure: str) -> Found:
    """Seconds that a visit takes before its first counted round."""
    from suite.measuring.modes import make_step

    start = time.perf_counter()
    with make_step(case(structure, "sgd_momentum", batch_size=64)) as step:
        made_s = time.perf_counter() - start
        firsts = []
        for _ in range(6):
            before = step.clock.read_s()
            step()
            firsts.append(round(step.clock.read_s() - before, 4))
        step.check()
        return {"made_s": round(made_s, 3), "first_steps_s": firsts, **timed(step)}


def against_cpu(execution: str, structure: str, *, ieee: bool = False) -> Found:
    """Losses of an execution and of plain CPU; `ieee` turns cuDNN's TF32 off."""
    import torch

    from suite.measuring.modes import make_step

    if ieee:
        torch.backends.cudnn.allow_tf32 = False
    with make_step(case(structure, "sgd_momentum", "cpu")) as step:
        plain = losses(step, 3)
    with make_step(case(structure, "sgd_momentum", "cpu" if DRY else execution)) as step:
        found = losses(step, 3)
        attributes = step.execution.attributes()
    off = largest(found, plain)
    result = {"relative_difference": off, "attributes": attributes}
    if off > AGREES_WITHIN:
        raise Differs(f"losses differ by {off:.2e} from plain CPU's, allowed {AGREES_WITHIN:g}: {result}")
    return result


def tuning(name: str, mode: str, structure: str) -> Found:
    """A tuning against the eager step on the same device: losses or logits, and both step times."""
    from suite.measuring.modes import make_step
    from suite.registry import TUNINGS as LEVELS

    within = LEVELS[name].strategy.agrees_within
    with make_step(case(structure, tuning=name, mode=mode, batch_size=64)) as tuned:
        if mode == "infer":
            tuned()
            tuned.check()
            found = tuned.logits.float().cpu()
        else:
            found = losses(tuned, 3)
        ours = timed(tuned)
        skipped = [probe.read() for probe in tuned.probes if probe.metric.name == "skipped_steps"]
    with make_step(case(structure, mode=mode, batch_size=64)) as plain:
        if mode == "infer":
            plain()
            off = float((found - plain.logits.float().cpu()).abs().max() / plain.logits.abs().max())
        else:
            follow(plain, LEVELS[name])
            off = largest(found, losses(plain, 3))
        result = {"relative_difference": off, "allowed": within, "tuned": ours, "eager": timed(plain)}
    if skipped:
        result["skipped_steps"] = skipped
    if off > within:
        raise Differs(f"differs by {off:.2e}, allowed {within:g}: {result}")
    return result


def follow(plain: Any, level: Any) -> None:
    """Train a plain step as far as a tuning has trained while it was made ready."""
    if level.attributes.get("graph"):  # three times on the first batch
        batch = next(plain.batches)
        for _ in range(3):
            plain.run(*batch)
        plain.batches = chain([batch], plain.batches)
    if level.attributes.get("compiled"):
        losses(plain, 2 * level.strategy.FIRST_STEPS)


def fed(name: str, tuned: str = "eager") -> Found:
    """An input pipeline: batches lie on the device, steps run, and its workers end."""
    from suite.measuring.modes import make_step

    with make_step(case(input=name, tuning=tuned, batch_size=64)) as step:
        images, labels = step.take()
        if not images.device.type == labels.device.type == DEVICE:
            raise Differs(f"the batch lies on {images.device} and {labels.device}")
        losses(step, 8)
        return timed(step, 20)


def optimizers() -> Found:
    """Three steps of every optimizer, and the values that a step of each reads from the device."""
    from suite.measuring.instruments.op_counts import count_ops
    from suite.measuring.modes import make_step
    from suite.registry import OPTIMIZERS

    wrong, reads = {}, {}
    for name in OPTIMIZERS:
        try:
            with make_step(case(BATCH_NORM, name)) as step:
                losses(step, 3)
                reads[name] = {one.metric.name: one.values[0] for one in count_ops(step)}["host_reads"]
        except Refused:
            continue
        except Exception as error:  # noqa: BLE001 - each failure is a finding
            wrong[name] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
    if wrong:
        raise Differs(f"failed: {wrong}; reads of the others: {reads}")
    return {"host_reads": reads}


def learning() -> Found:
    """Two epochs on the digits."""
    from suite.measuring.modes import make_step

    with make_step(case(optimizer="adam", batch_size=64, mode="learn", epochs=2)) as step:
        found = []
        for _ in range(2):
            for _ in range(step.steps_per_epoch):
                step()
            found.append([round(gauge.read(), 4) for gauge in step.gauges])
        return {"accuracy_and_loss_by_epoch": found}


def instrument(name: str, optimizer: str = "adam", **others: Any) -> Found:
    """Series of an instrument; medians of the longer ones."""
    from statistics import median

    from suite.measuring.instruments import instrument_named

    found = instrument_named(name)(case(BATCH_NORM, optimizer, **{"batch_size": 64, **others}))
    return {one.metric.name: median(one.values) if len(one.values) > 3 else list(one.values) for one in found}


def world_of_one() -> Found:
    """DistributedDataParallel over NCCL with one rank: all of it that one device can try."""
    from suite.levels.executions.distributed import Distributed
    from suite.measuring.modes import make_step

    class One(Distributed):
        """One rank on the first device. Source: none."""

        cpu_ranks = 1

        @classmethod
        def device_type(cls) -> str:
            return DEVICE

        @classmethod
        def wanted_ranks(cls) -> int:
            return 1

    one = case("seed_cnn", "sgd_momentum", "cpu")
    with make_step(one) as step:
        plain = losses(step, 3)
    with make_step(one, One()) as step:
        found = losses(step, 3)
        result = {"relative_difference": largest(found, plain), **step.execution.attributes(), **timed(step)}
    if not DRY and result["backend"] != "nccl":
        raise Differs(f"not over NCCL: {result}")
    return result


def several_workers(count: int) -> Found:
    """Memory of the device that each of several workers takes, at the same time, as a run has them."""
    import torch

    if DRY:
        return {}
    workers = [idle_worker() for _ in range(count)]
    torch.cuda.init()  # only now: a fork must not come after it
    free, total = torch.cuda.mem_get_info()
    start = time.perf_counter()
    for pid, go in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(go)
    ended_s = time.perf_counter() - start
    after, _ = torch.cuda.mem_get_info()
    each = (after - free) // count
    return {"workers": count, "bytes_each": each, "device_bytes": total, "end_s_each": round(ended_s / count, 3)}


def idle_worker() -> tuple[int, int]:
    """A forked process that has trained some steps and waits; its id, and the descriptor that it waits for."""
    done, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            from suite.measuring.modes import make_step

            with make_step(case("resnet18", "adam", batch_size=64)) as step:
                losses(step, 3)
                os.write(done[1], b".")
                os.read(go[0], 1)
        finally:
            os._exit(0)
    os.close(done[1])  # so that one that dies is noticed
    if os.read(done[0], 1) != b".":
        raise Differs("a worker failed while others had the device")
    return pid, go[1]


def tunings() -> list[str]:
    """Tunings to train with: the most telling first, then others that are for devices alone."""
    from suite.contracts.tuning import CudaOnly
    from suite.registry import TUNINGS as LEVELS

    return list(dict.fromkeys([*TUNINGS, *(name for name in LEVELS if issubclass(LEVELS[name].strategy, CudaOnly))]))


def items() -> Iterator[Item]:
    """All items, the most telling first."""
    yield Item("surroundings", 60, surroundings, alone=True)
    yield Item("facts of devices", ITEM_S, facts)
    for structure in ("seed_cnn", "resnet18"):
        yield Item(f"cold start, {structure}", START_S, partial(cold_start, structure), alone=True)
    yield Item("cuda against cpu", ITEM_S, partial(against_cpu, "cuda", "seed_cnn"))
    yield Item("cuda against cpu, batch norm", ITEM_S, partial(against_cpu, "cuda", BATCH_NORM))
    yield Item("cuda against cpu, no TF32 in cuDNN", ITEM_S, partial(against_cpu, "cuda", BATCH_NORM, ieee=True))
    for name in ("data_parallel", "model_parallel"):
        yield Item(f"{name} against cpu", ITEM_S, partial(against_cpu, name, BATCH_NORM))
    for name in tunings():
        yield Item(f"{name}, train", ITEM_S, partial(tuning, name, "train", BATCH_NORM))
    yield Item("distributed over NCCL, one rank", START_S, world_of_one)
    yield Item("pinned_w2", ITEM_S, partial(fed, "pinned_w2"))
    yield Item("pinned_w2 with cuda_graph", ITEM_S, partial(fed, "pinned_w2", "cuda_graph"))
    for name in INSTRUMENTS:
        yield Item(f"instrument {name}", ITEM_S, partial(instrument, name))
    yield Item("instrument memory, fp16", ITEM_S, partial(instrument, "memory", "adam_fused", tuning="fp16"))
    yield Item("several workers", START_S, partial(several_workers, 4), alone=True)
    yield Item("every optimizer", LONG_S, optimizers)
    yield Item("learning", ITEM_S, learning)
    for name in INPUTS:
        yield Item(name, ITEM_S, partial(fed, name))
    for name in INFERRING:
        yield Item(f"{name}, infer", ITEM_S, partial(tuning, name, "infer", BATCH_NORM))
    yield Item("compile, train", LONG_S, partial(tuning, "compile", "train", "seed_cnn"))
