"""CUDA devices are those that the driver shows, in its order, and where it shows none the reason is known."""

import json
from pathlib import Path

import pytest
import torch

from suite.machine import cuda
from tests.fakes.drivers import COMPILER, answer, build

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
ORDERS = {
    "": "none",
    "0": "2",
    "2,0": "02",
    "0,7,1": "2",
    "-1": "none",
    " 1 , 2 ": "10",
    "0,,1": "2",
    ",1": "none",
    "gpu": "none",
    "1,1": "none",
    "GPU-a1a1": "1",
    "GPU-a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1,0": "12",
    "0,GPU-a2": "none",
}
"""Of three devices, of which the last one on the bus is the fastest: `CUDA_VISIBLE_DEVICES` -> their names in order."""
OLD = "the driver supports CUDA 12.4, and torch was built for CUDA 13.0"
HINDRANCES = [
    (
        {"CUDA_VISIBLE_DEVICES": ""},
        "CUDA_VISIBLE_DEVICES='' hides the one that this machine has; unset it, or name a device",
    ),
    (
        {"CUDA_VISIBLE_DEVICES": "0,0", "NVML_DEVICES": "2"},
        "CUDA_VISIBLE_DEVICES='0,0' hides the 2 that this machine has; unset it, or name a device",
    ),
    (
        {"CUDA_LACKS": "mig", "NVML_LACKS": "mig"},
        "this machine's are in MIG mode without an instance; make one by nvidia-smi mig, or end the mode",
    ),
    (
        {"CUDA_LACKS": "old"},
        f"{OLD}; install a driver for CUDA 13, or a torch for CUDA 12",
    ),
    ({"CUDA_LACKS": "crash"}, "the driver crashed with signal 6 when it was started"),
    ({"CUDA_LACKS": "init"}, "the driver does not start, cuInit: an error of the stand-in"),
    (
        {"CUDA_LACKS": "prohibited"},
        "device 0 prohibits computing; sudo nvidia-smi -i GPU-a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0 -c 0 ends that",
    ),
    ({"NVML_DEVICES": "0"}, ""),
]
ASKED = """
from suite.matrix.refusals import refusal
from suite.records import Case
from suite.registry import load_levels
load_levels()
def asked(variables):
    before = dict(os.environ)
    os.environ.update(variables)
    cuda.driver.cache_clear()
    found = cuda.driver()
    os.environ.clear()
    os.environ.update(before)
    names = "".join(device.name[-1] for device in found.devices)
    return names or "none", found.hindrance, refusal(Case("seed_cnn", "sgd", "cuda"))
print(json.dumps([asked(one) for one in json.loads(os.environ["ROWS"])]))
"""
Row = tuple[str, str, str]


def test_torchs_own_files_say_what_it_was_built_for():
    kind, version = cuda.built_for()
    assert (kind == "cuda") is (torch.version.cuda is not None)
    assert version == (torch.version.cuda or torch.version.hip or "")


def test_as_many_devices_are_found_as_torch_finds():
    assert cuda.cuda_devices() == torch.cuda.device_count()


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("drivers"))


@pytest.fixture(scope="module")
def shown(library) -> dict[str, Row]:
    """Answers to all variables in `ORDERS`, of one process."""
    rows = [{"NVML_DEVICES": "3", "CUDA_VISIBLE_DEVICES": visible} for visible in ORDERS]
    return dict(zip(ORDERS, answer(library, ASKED, ROWS=json.dumps(rows)), strict=True))


@pytest.fixture(scope="module")
def hindered(library) -> list[Row]:
    """Answers to all variables in `HINDRANCES`, of one process."""
    return answer(library, ASKED, ROWS=json.dumps([variables for variables, _ in HINDRANCES]))


@needs_compiler
@pytest.mark.parametrize("visible", ORDERS)
@pytest.mark.slow
def test_devices_are_those_that_the_driver_shows_in_its_order(shown, visible):
    assert shown[visible][0] == ORDERS[visible]


@needs_compiler
def test_devices_have_another_order_where_that_of_the_bus_is_asked_for(library):
    rows = [{"NVML_DEVICES": "3"}, {"NVML_DEVICES": "3", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}]
    assert [row[0] for row in answer(library, ASKED, ROWS=json.dumps(rows))] == ["210", "012"]


@needs_compiler
@pytest.mark.parametrize("place", range(len(HINDRANCES)), ids=lambda place: str(HINDRANCES[place][0]))
def test_devices_that_cannot_be_used_are_refused_with_the_reason(hindered, place):
    names, hindrance, refusal = hindered[place]
    said = HINDRANCES[place][1]
    assert (names, hindrance) == ("none", said)
    assert refusal == (f"cuda needs a CUDA device, and {said}" if said else NONE)


NONE = "cuda needs a CUDA device, and this machine has none"


@needs_compiler
def test_devices_that_torch_was_not_built_for_do_not_count(library):
    assert answer(library, 'cuda.built_for = lambda: ("", "")\nprint(cuda.cuda_devices())') == 0
    assert answer(library, "print(cuda.cuda_devices())", NVML_DEVICES="2") == 2


@needs_compiler
def test_a_driver_that_hangs_is_a_reason_and_holds_nobody_up(library):
    code = "cuda.PROBE_S = 0.5\nprint(json.dumps(cuda.hindrance()))"
    assert answer(library, code, CUDA_LACKS="hang") == "the driver gave no answer for 0.5 s"


@needs_compiler
def test_the_driver_is_asked_once_and_does_not_start_in_this_process(library, tmp_path):
    code = """
import ctypes
found = [cuda.cuda_devices() for _ in range(3)]
count = ctypes.c_int(-1)
ctypes.CDLL("libcuda.so.1").cuDeviceGetCount(ctypes.byref(count))
print(json.dumps([found, count.value]))
"""
    found, started_here = answer(library, code, CUDA_LOG=str(tmp_path / "log"))
    assert found == [1, 1, 1]
    assert started_here == 0
    assert (tmp_path / "log").read_text() == "1\n"
