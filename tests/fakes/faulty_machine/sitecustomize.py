"""On PYTHONPATH, it makes each reading of the machine fail in every Python process, as FAULTS says: `raise`, `nothing`
or `nonsense`. It stands between the library and the kernel: psutil, pynvml, the calls of `os` and the files themselves.
"""

import builtins
import errno
import io
import os
import platform
import sys
import types
import zlib

NONSENSE = "\x00-1 <unknown> nan 9e999:::\n\xff) 5 total=x\n"
MODE = os.environ.get("FAULTS", "")
FILES = ("/proc/", "/sys/")
SENSELESS = {
    "cpu_times": [],
    "cpu_freq": [types.SimpleNamespace(current=float("nan"))] * 64,
    "virtual_memory": types.SimpleNamespace(total=-1, available=-1),
    "swap_memory": types.SimpleNamespace(used=-1),
    "Process": "?",
    "getloadavg": (float("nan"), float("inf"), 0.0),
    "sched_getaffinity": {0},
    "statvfs": types.SimpleNamespace(f_blocks=-1, f_frsize=-1),
    "node": "\udcff",
    "release": "",
    "machine": "",
    "processor": "",
    "libc_ver": ("", ""),
}
"""Answers without sense, of the type that the call promises; -1 for the others."""
CALLS = {
    "psutil": ("cpu_times", "cpu_freq", "cpu_count", "virtual_memory", "swap_memory", "Process"),
    "os": ("getloadavg", "getpriority", "setpriority", "sched_getaffinity", "sched_setaffinity", "statvfs", "sysconf"),
    "platform": ("node", "release", "machine", "processor", "libc_ver"),
}


def error_of(name, *, of_kernel=True):
    """The error of a name, so that all kinds occur: those of the kernel, or those of a library."""
    import psutil
    import pynvml

    kinds = (
        PermissionError(errno.EACCES, "refused"),
        OSError(errno.EIO, "broken"),
        NotImplementedError("not on this machine"),
        ValueError("no number"),
        RuntimeError("cannot tell"),
        psutil.AccessDenied(1),
        pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN),
    )
    return kinds[zlib.crc32(name.encode()) % (2 if of_kernel else len(kinds))]


def is_ours():
    """Whether this project asks, itself or through the standard library or psutil: torch's own calls go through."""
    frame = sys._getframe(2)
    while frame is not None:
        name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
        if name.startswith("suite.") or file.endswith("suite/zygote.py"):
            return True
        if name.startswith(("torch", "numpy", "_pytest", "pytest_benchmark", "importlib", "multiprocessing")):
            return False
        frame = frame.f_back
    return False


def faulty(name, call, *, of_kernel):
    """A call that fails."""

    def failing(*arguments, **named):
        if not is_ours():
            return call(*arguments, **named)
        if MODE == "raise":
            raise error_of(name, of_kernel=of_kernel)
        return None if MODE == "nothing" else SENSELESS.get(name, -1)

    return failing


def faulty_file(call):
    """A way to open files, which fails for those of the kernel."""

    def opening(path, *arguments, **named):
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        if not isinstance(text, str) or not text.startswith(FILES) or not is_ours():
            return call(path, *arguments, **named)
        if MODE == "raise":
            raise error_of(text.rpartition("/")[2])
        return io.StringIO("" if MODE == "nothing" else NONSENSE)

    return opening


def faulty_descriptor(call):
    """`os.open`, which fails for the kernel's files."""

    def opening(path, *arguments, **named):
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        if not isinstance(text, str) or not text.startswith(FILES) or not is_ours():
            return call(path, *arguments, **named)
        if MODE == "raise":
            raise PermissionError(errno.EACCES, "refused")
        return call("/dev/null" if MODE == "nothing" else __file__, os.O_RDONLY)

    return opening


def break_machine():
    """Put the faults in place."""
    import psutil
    import pynvml

    for module in (psutil, os, platform):
        for name in CALLS[module.__name__]:
            setattr(module, name, faulty(name, getattr(module, name), of_kernel=module is os))
    for name in dir(pynvml):
        if name.startswith("nvmlDevice") or name == "nvmlInit":
            setattr(pynvml, name, faulty(name, getattr(pynvml, name), of_kernel=False))
    io.open = builtins.open = faulty_file(io.open)
    os.open = faulty_descriptor(os.open)


if MODE:
    break_machine()
