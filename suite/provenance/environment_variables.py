"""Environment variables that can change a step time.

They are recorded with a run and compared between runs. Most are found by the beginning of their names, so that a
library's new variable is recorded without an edit here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PREFIXES = (
    *("OMP_", "KMP_", "GOMP_", "LIBOMP_", "MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "TBB_"),
    *("ATEN_", "C10_", "TORCH_", "TORCHINDUCTOR_", "TORCHDYNAMO_", "PYTORCH_", "TRITON_", "CUDA_", "CUBLAS_"),
    *("CUBLASLT_", "CUDNN_", "NCCL_", "GLOO_", "NVIDIA_", "HIP_", "ROCR_", "MIOPEN_", "HSA_", "AMD_", "ROCBLAS_"),
    *("HIPBLASLT_", "RCCL_", "ZE_", "ZES_", "SYCL_", "ONEAPI_", "UR_", "NEO", "IGC_", "MTL_"),
    *("MALLOC_", "TCMALLOC_", "MIMALLOC_", "JE_", "COVERAGE_PROCESS_"),
)
"""Beginnings of names that torch, the libraries below it, allocators and coverage read."""
NAMES = (
    *("GLIBC_TUNABLES", "LD_PRELOAD", "LD_AUDIT", "LD_BIND_NOW", "LD_LIBRARY_PATH", "_RJEM_MALLOC_CONF"),
    *("PYTHONMALLOC", "PYTHONDEVMODE", "PYTHONOPTIMIZE", "PYTHONHASHSEED", "PYTHONTRACEMALLOC", "PYTHON_GIL"),
    *("PYTHON_JIT", "PYTHONPERFSUPPORT"),
)
"""Variables of glibc, its loader and Python."""
PLACES = re.compile(
    r".*_(HOME|PATH|DIR|VERSION|ROOT|CACHE|ARCH_LIST|FILE|BUILD_ID|PRODUCT_NAME)|NVIDIA_(REQUIRE_.*|DRIVER_CAPABILITIES)"
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
