"""Variables that can move a step time are recorded by the beginning of their names, and secrets are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.settings_in_effect import unmet_settings
from suite.provenance.environment import facts
from suite.provenance.environment_variables import LONGEST, moving_steps
from suite.records import WorkerSettings


@pytest.mark.parametrize(
    "name",
    [
        *(
            "OMP_NUM_THREADS",
            "OMP_THREAD_LIMIT",
            "KMP_BLOCKTIME",
            "GOMP_SPINCOUNT",
            "MKL_DYNAMIC",
            "ONEDNN_MAX_CPU_ISA",
        ),
        *("DNNL_VERBOSE", "ATEN_CPU_CAPABILITY", "TORCH_LOGS", "TORCHINDUCTOR_FREEZING", "PYTORCH_CUDA_ALLOC_CONF"),
        *("CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "CUDNN_LOGINFO_DBG", "NCCL_ALGO", "NVIDIA_TF32_OVERRIDE"),
        *("LD_PRELOAD", "GLIBC_TUNABLES", "PYTHONMALLOC", "PYTHONDEVMODE", "PYTHONOPTIMIZE", "COVERAGE_PROCESS_START"),
        *("TCMALLOC_RELEASE_RATE", "MIMALLOC_PURGE_DELAY", "GLOO_SOCKET_IFNAME", "MIOPEN_FIND_MODE"),
        *("LRU_CACHE_CAPACITY", "THP_MEM_ALLOC_ENABLE", "MKLDNN_VERBOSE", "KINETO_USE_DAEMON", "CPUPROFILE"),
        *("TORCHINDUCTOR_FX_GRAPH_CACHE", "CUDA_INJECTION64_PATH", "HSA_OVERRIDE_GFX_VERSION", "NCCL_TOPO_FILE"),
    ],
)
def test_a_variable_that_can_move_a_step_is_recorded(name):
    assert moving_steps({name: "1", "HOME": "/root"}) == {name: "1"}


@pytest.mark.parametrize(
    "name",
    [
        *("NVIDIA_API_KEY", "TORCH_HUB_TOKEN", "CUDA_HOME", "CUDA_VERSION", "NVIDIA_REQUIRE_CUDA", "TORCH_HOME"),
        *("TORCHELASTIC_RUN_ID", "TRITON_CACHE_DIR", "PATH", "AWS_SECRET_ACCESS_KEY", "HOSTNAME"),
    ],
)
def test_secrets_and_names_of_places_and_versions_are_left_out(name):
    assert moving_steps({name: "1"}) == {}


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_any_environment_gives_short_values(environment):
    found = moving_steps(environment)
    assert all(environment[name].startswith(value) and len(value) <= LONGEST for name, value in found.items())


def test_variables_are_those_that_the_workers_get(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.mmap_max=9:glibc.rtld.nns=5")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "{}")
    monkeypatch.setenv("OMP_DYNAMIC", "false")
    found = facts(WorkerSettings(), 0, {}, {})["variables"]
    assert found["GLIBC_TUNABLES"] == "glibc.rtld.nns=5"
    assert found["OMP_DYNAMIC"] == "false"
    assert not {"MALLOC_ARENA_MAX", "COVERAGE_PROCESS_CONFIG"} & set(found)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, None),
        ({"allocator": {"name": "steady"}}, None),
        ({"allocator": {"name": "steady", "effective": "steady"}}, None),
        ({"allocator": {"name": "steady", "effective": None}}, None),
        ({"allocator": {"name": "steady", "effective": "libtcmalloc.so.4"}}, "libtcmalloc.so.4"),
        ({"allocator": {"name": "steady", "effective": "default"}}, "gives freed memory back"),
        ({"priority": {"wanted": "high", "nice": -20}}, None),
        ({"priority": {"wanted": "normal", "nice": 0}}, None),
        ({"priority": {"wanted": "high", "nice": None}}, None),
        ({"priority": {"wanted": "high", "nice": 0}}, "nice 0, not -20"),
    ],
)
def test_a_setting_that_did_not_hold_is_said(facts, said):
    found = unmet_settings(facts)
    assert len(found) == (said is not None)
    assert said is None or said in found[0]
