"""Environment variables that can change a step time.

They are recorded with a run and compared between runs. Most are found by the beginning of their names, so that a
library's new variable is recorded without an edit here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PREFIXES = (
    *(
        "OMP_",
        "KMP_",
        "GOMP_",
        "LIBOMP_",
        "MKL_",
        "MKLDNN_",
        "ONEDNN_",
        "DNNL_",
        "OPENBLAS_",
        "BLIS_",
        "NUMEXPR_",
        "TBB_",
    ),
    *("ATEN_", "C10_", "TORCH_", "TORCHINDUCTOR_", "TORCHDYNAMO_", "PYTORCH_", "TRITON_", "CUDA_", "CUBLAS_"),
    *("CUBLASLT_", "CUDNN_", "NCCL_", "GLOO_", "NVIDIA_", "HIP_", "ROCR_", "MIOPEN_", "HSA_", "AMD_", "ROCBLAS_"),
    *("HIPBLASLT_", "RCCL_", "ZE_", "ZES_", "SYCL_", "ONEAPI_", "UR_", "NEO", "IGC_", "MTL_", "KINETO_"),
    *("MALLOC_", "TCMALLOC_", "MIMALLOC_", "JE_", "COVERAGE_PROCESS_"),
)
"""Beginnings of names that torch, the libraries below it, allocators and coverage read."""
NAMES = (
    *("GLIBC_TUNABLES", "LD_PRELOAD", "LD_AUDIT", "LD_BIND_NOW", "LD_LIBRARY_PATH", "_RJEM_MALLOC_CONF"),
    *("PYTHONMALLOC", "PYTHONDEVMODE", "PYTHONOPTIMIZE", "PYTHONHASHSEED", "PYTHONTRACEMALLOC", "PYTHON_GIL"),
    *("PYTHON_JIT", "PYTHONPERFSUPPORT", "PYTHON_PERF_JIT_SUPPORT", "PYTHON_CPU_COUNT"),
    *("LRU_CACHE_CAPACITY", "THP_MEM_ALLOC_ENABLE", "DISABLE_ADDMM_CUDA_LT", "HEAPPROFILE", "CPUPROFILE"),
    *("CUDA_INJECTION64_PATH", "NVTX_INJECTION64_PATH", "HSA_OVERRIDE_GFX_VERSION"),
    *("NCCL_CONF_FILE", "NCCL_GRAPH_FILE", "NCCL_TOPO_FILE"),
)
"""Variables of glibc, its loader and Python; of torch and oneDNN, of profilers, and of places that change a step."""
PLACES = re.compile(
    r".*_(HOME|PATH|DIR|VERSION|ROOT|ARCH_LIST|FILE|BUILD_ID|PRODUCT_NAME)|NVIDIA_(REQUIRE_.*|DRIVER_CAPABILITIES)"
)
"""Variables for a place, or for an image's version; versions of packages are recorded elsewhere."""
SECRETS = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH")
"""Words in the name of a variable with a secret value."""
LONGEST = 1000
"""Characters of a value that are recorded."""


def moving_steps(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that can change a step time, by name, without secrets and places."""
    return {name: environment[name][:LONGEST] for name in sorted(environment) if can_move_steps(name)}


def can_move_steps(name: str) -> bool:
    """Whether a variable of that name can move a step time."""
    if name in NAMES:
        return True
    return name.startswith(PREFIXES) and not PLACES.fullmatch(name) and not SECRETS.search(name)
