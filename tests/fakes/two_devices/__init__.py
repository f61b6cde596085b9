"""Two simulated devices: builds the backend with the installed torch's headers, once for a machine, and loads it.

It changes torch for the whole process, so tests load it in fresh ones.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import types
from pathlib import Path
from typing import Any

import pytest

from suite.contracts.execution import Execution
from suite.levels.executions.cuda import Cuda
from suite.levels.executions.data_parallel import DataParallel
from suite.levels.executions.model_parallel import ModelParallel
from suite.records import Case
from suite.registry import EXECUTIONS, ExecutionSpec

NAME = "sim"
"""Name of the kind of device: `sim:0` and `sim:1`."""
DEVICES = 2
SOURCE = Path(__file__).with_name("backend.cpp")
FLAGS = ("-std=c++20", "-O1", "-fPIC", "-shared", "-w")
BUILD_S = 600.0


def build() -> Path:
    """The compiled backend, from the machine's folder of temporary files or made now; a minute on one core.

    Skips the test without a C++ compiler.
    """
    import torch

    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    root = Path(torch.__file__).parent
    include = root / "include"
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    words = [compiler, *FLAGS, abi, f"-I{include}", f"-I{include / 'torch/csrc/api/include'}", str(SOURCE)]
    words += [f"-L{root / 'lib'}", "-ltorch_cpu", "-ltorch", "-lc10", f"-Wl,-rpath,{root / 'lib'}"]
    key = hashlib.sha256("\n".join([torch.__version__, *words, SOURCE.read_text()]).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"stepmark-two-devices-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{key}.so"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            unfinished = library.with_suffix(".unfinished")
            done = subprocess.run(
                [*words, "-o", str(unfinished)], capture_output=True, text=True, timeout=BUILD_S, check=False
            )
            assert done.returncode == 0, done.stderr[-4000:]
            unfinished.rename(library)
    return library


class Simulated:
    """The loaded backend.

    Attributes:
        library: with its functions `keep_busy`, `waits_for` and `questions_asked`.
    """

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.keep_busy.argtypes = [ctypes.c_int, ctypes.c_double]
        self.library.waits_for.restype = self.library.questions_asked.restype = ctypes.c_long

    def keep_busy(self, index: int, seconds: float) -> None:
        """Let a device be busy from now on."""
        self.library.keep_busy(index, seconds)

    def waits(self) -> list[int]:
        """How often something has waited for each device."""
        return [self.library.waits_for(index) for index in range(DEVICES)]

    def questions(self) -> int:
        """How often the number of devices or their memory was asked for, which opens a real driver."""
        return int(self.library.questions_asked())


def load(library: Path) -> Simulated:
    """Load the backend into this process, and register executions on it: `sim`, `sim_batch` and `sim_layers`."""
    import torch

    torch.utils.backend_registration.rename_privateuse1_backend(NAME)
    torch._register_device_module(NAME, device_module())
    loaded = Simulated(library)
    replace_collectives()
    for name, strategy in (("sim", One), ("sim_batch", SharedBatch), ("sim_layers", SharedLayers)):
        EXECUTIONS.add(ExecutionSpec(name, strategy, {"device": NAME}))
    return loaded


def device_module() -> Any:
    """The module `torch.sim`."""
    import torch

    module: Any = types.ModuleType(f"torch.{NAME}")
    module.is_available = module.is_initialized = lambda: True
    module._is_in_bad_fork = lambda: False
    module._lazy_init = lambda: None
    module.device_count = lambda: DEVICES
    module.current_device = lambda: torch.accelerator.current_device_index()
    module.manual_seed_all = lambda _: None  # random numbers are the host's
    module.get_rng_state_all = list
    module.get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]
    return module


def replace_collectives() -> None:
    """Replace the four functions of `nn.DataParallel` that are CUDA's alone by copies."""
    import torch
    from torch.nn.parallel import comm

    def on(index: int) -> torch.device:
        return torch.device(NAME, index)

    def scatter(tensor: Any, devices: Any, chunk_sizes: Any = None, dim: int = 0, streams: Any = None) -> Any:
        pieces = tensor.split(list(chunk_sizes), dim) if chunk_sizes else tensor.chunk(len(devices), dim)
        return tuple(one.to(on(to)) for one, to in zip(pieces, devices, strict=False))

    def gather(tensors: Any, dim: int = 0, destination: Any = None) -> Any:
        return torch.cat([one.to(on(destination)) for one in tensors], dim)

    def broadcast_coalesced(tensors: Any, devices: Any, buffer_size: int = 0) -> Any:
        return [[one.to(on(index)) for one in tensors] for index in devices]

    def reduce_add_coalesced(inputs: Any, destination: Any = None, buffer_size: int = 0) -> Any:
        return [sum(one.to(on(destination)) for one in same) for same in zip(*inputs, strict=True)]

    for copy in (scatter, gather, broadcast_coalesced, reduce_add_coalesced):
        setattr(comm, copy.__name__, copy)


class OnSimulated(Execution):
    """The device that the executions below have in common."""

    @classmethod
    def device_type(cls) -> str:
        """`sim`."""
        return NAME

    @classmethod
    def refusal(cls, case: Case) -> str:  # noqa: ARG003 - the fake takes what the real one would look at
        """Nothing."""
        return ""


class One(OnSimulated, Cuda):
    """One simulated device. Source: `cuda`."""

    def attributes(self) -> dict[str, Any]:
        """No name."""
        return {}


class SharedBatch(OnSimulated, DataParallel):
    """The batch on both simulated devices. Source: `data_parallel`."""

    def attributes(self) -> dict[str, Any]:
        """The devices."""
        return {"devices": len(self.devices())}


class SharedLayers(OnSimulated, ModelParallel):
    """The layers on both simulated devices. Source: `model_parallel`."""

    def attributes(self) -> dict[str, Any]:
        """The bytes of each side."""
        return {"bytes": self._bytes}
