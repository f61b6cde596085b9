"""The zygote: imports torch once and forks the workers.

It is started as `python -P zygote.py FD SETTINGS`. It never computes with torch, so that no thread pool exists when it
forks. Its environment sets its memory allocator before it starts. If the process that started it dies, the zygote and
all its workers die too.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

OOM_SCORE = Path("/proc/self/oom_score_adj")
OOM_SCORE_WORKER = "1000"
"""If memory runs out, the kernel kills a worker first, not the process that keeps the record."""


def main() -> None:
    """Import torch and the plug-ins; report; fork until the link closes."""
    settings = json.loads(sys.argv[2])
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import suite  # noqa: F401 - before folders of the user are searched, which may have a package of that name

    sys.path[:] = settings["path"]
    from suite.machine.priority import current_priority, raise_priority
    from suite.machine.process_lifetime import adopt_orphans, die_with_parent

    die_with_parent()
    adopt_orphans()
    if settings["priority"] == "high":
        raise_priority()
    from suite.protocol import VERSION, Closed, Link
    from suite.records import StepmarkError

    link = Link(socket.socket(fileno=int(sys.argv[1])))
    if link.is_closed():  # the parent died before the kernel was asked
        return
    asked = settings.get("reports_levels", False)
    try:
        not_loaded = load(settings["plugins"], is_patient=asked)
        build = import_torch()
    except StepmarkError as error:
        link.send({"failed": str(error)})
        return
    gc.collect()
    gc.freeze()
    report = {"not_loaded": not_loaded, "levels": names_of_levels()} if asked else {}
    about = {"torch": build, "priority": current_priority(), "allocator": ask_allocator()}
    link.send({"ready": VERSION, **about, **report})
    with contextlib.suppress(Closed):
        while True:
            message, fds = link.receive_fds(2)
            if "fork" in message:
                link.send({"forked": fork(message["fork"], fds, link, settings["priority"])})
            else:
                link.send({"ended": end(message["end"])})


def load(plugins: list[str], *, is_patient: bool) -> dict[str, str]:
    """Import the project's levels, then each plug-in.

    Args:
        plugins: as `suite.registry.load_levels` takes them.
        is_patient: whether to go on after a plug-in that does not import.

    Returns:
        Plug-ins that do not import, with the reason.

    Raises:
        StepmarkError: a plug-in does not import, or leaves threads or a device open.
    """
    from suite.machine.fork_safety import left_by_fork
    from suite.records import StepmarkError
    from suite.registry import load_levels

    not_loaded: dict[str, str] = {}
    load_levels()
    for plugin in plugins:
        try:
            load_levels((plugin,))
        except StepmarkError as error:
            if not is_patient:
                raise
            not_loaded[plugin] = str(error)
        if obstacle := left_by_fork():
            raise StepmarkError(
                f"plug-in {plugin!r} leaves {obstacle} when it is imported, which the forked workers would wait for; "
                "move code that computes, starts threads or opens devices into the builder of the level."
            )
    return not_loaded


def names_of_levels() -> dict[str, list[str]]:
    """All registered levels, by factor."""
    from suite.registry import REGISTRIES

    return {factor: registry.all_names() for factor, registry in REGISTRIES.items()}


def import_torch() -> dict[str, Any]:
    """Import the modules of every worker; return the properties of this torch."""
    import torch

    with contextlib.suppress(Exception):  # a worker that needs it says why it cannot have it
        import torchvision  # noqa: F401 - imported once here instead of in every worker

    import suite.levels.layers
    import suite.machine.cuda
    import suite.measuring.instruments.allocator
    import suite.measuring.instruments.breakdown
    import suite.measuring.instruments.memory
    import suite.measuring.instruments.roofline
    import suite.measuring.instruments.utilization
    import suite.measuring.worker

    suite.machine.cuda.driver()  # its devices are known to all forks
    torch.manual_seed(0)  # each worker does so first, and then finds what Python cached here
    torch.nn.Conv2d(1, 1, 1, device="meta")

    return {
        "version": torch.__version__,
        "git_version": torch.version.git_version,
        "cuda": torch.version.cuda,
        "cudnn": ask_in_fork(cudnn_version),
        "debug": torch.version.debug,
        "onednn": torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
        "mkl": torch.backends.mkl.is_available(),  # type: ignore[no-untyped-call]
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "flush_denormal": sys.float_info.min / 2 == 0.0,  # a flag of the core, which Python's own arithmetic shows
    }


def ask_allocator() -> str | None:
    """The allocator in effect in workers, found in a fork, since finding it allocates."""
    from suite.machine.allocators import in_effect

    return ask_in_fork(in_effect)


def cudnn_version() -> str | None:
    """The version of cuDNN, which is loaded for it; None without a CUDA device."""
    import torch

    from suite.machine.cuda import cuda_devices

    if not cuda_devices():
        return None
    with contextlib.suppress(Exception):  # a library that does not fit is the reason of each case that needs it
        return str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return None


def ask_in_fork(ask: Callable[[], str | None]) -> str | None:
    """The answer of a function that a fork calls, since it changes the process."""
    from suite.machine.child import fork_child

    child = fork_child(lambda _, answers: os.write(answers, (ask() or "").encode()))
    os.close(child.commands)
    with os.fdopen(child.answers, "rb") as file:
        answer = file.read().decode()
    os.waitpid(child.pid, 0)
    return answer or None


def fork(task: dict[str, Any], fds: list[int], control: Any, priority: str) -> int:
    """Fork a worker for `task`; return its process id.

    Args:
        task: the worker's task (`suite.measuring.worker.work`), and `scratch`, its folder for temporary files.
        fds: the worker's end of its link, and its standard error; closed here.
        control: the zygote's link, which the worker closes.
        priority: `high` or `normal`.
    """
    from suite.machine.priority import raise_priority
    from suite.machine.process_lifetime import die_with_parent

    parent, pid = os.getpid(), os.fork()
    if pid:
        for fd in fds:
            os.close(fd)
        return pid
    status = 1
    try:
        os.dup2(fds[1], sys.stdout.fileno())  # first: the reason of any failure from here on goes there
        os.dup2(fds[1], sys.stderr.fileno())
        die_with_parent(parent)
        os.setsid()
        if priority == "high":
            raise_priority()  # again: the session is new
        control.close()
        os.environ["TMPDIR"] = tempfile.tempdir = task["scratch"]  # torch's own threads and children look it up
        be_killed_first()
        from suite.measuring.worker import work
        from suite.protocol import Link

        work(Link(socket.socket(fileno=fds[0])), task)
        status = 0
    finally:
        if status:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def be_killed_first() -> None:
    """Let the kernel kill this process before others if memory runs out, if we may."""
    with contextlib.suppress(OSError):
        OOM_SCORE.write_text(OOM_SCORE_WORKER)


def end(pid: int) -> int:
    """Kill a worker and every process that it started; return its exit status.

    The status is negative for a signal. That of a worker that has ended before is its own.
    """
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # it was waited for before
        return 0
    finally:
        with contextlib.suppress(ChildProcessError):
            while True:  # its own children are ours now (suite.machine.process_lifetime.adopt_orphans)
                os.waitpid(-pid, 0)


if __name__ == "__main__":
    main()
