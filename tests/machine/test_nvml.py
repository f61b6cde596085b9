"""NVML through the real binding: a small library built here stands in for the driver's where there is none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FAKES, PROJECT

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
ALL = {"utilization", "memory_bytes", "power_w", "energy_j", "clock_hz", "temperature_c", "slowed"}


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """The folder of the library, built as the dynamic linker looks for it."""
    folder = tmp_path_factory.mktemp("nvml")
    source = FAKES / "nvml_stand_in.c"
    command = ["cc", "-shared", "-fPIC", "-o", str(folder / "libnvidia-ml.so.1"), str(source)]
    subprocess.run(command, check=True)
    return folder


def told(library: Path, code: str, **variables: str):
    """Output of a fresh process with the stand-in in place of the driver."""
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    environment |= {"LD_LIBRARY_PATH": str(library), **variables}
    command = [sys.executable, "-c", f"import json\n{code}"]
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


READ = """
from suite.machine.nvml import driver, handles, read
with driver():
    print(json.dumps([read(one) for one in handles()]))
"""


def test_readings_of_a_device_are_in_base_units(library):
    (found,) = told(library, READ)
    assert set(found) == ALL
    assert found["utilization"] == 0.41
    assert found["memory_bytes"] == 3 << 30
    assert found["power_w"] == 250.0
    assert found["energy_j"] == 1025.0
    assert found["clock_hz"] == 1.41e9
    assert found["temperature_c"] == 55.0
    assert found["slowed"] == 0.0, "an idle device's clock is low, and nothing slows it"


def test_a_device_whose_clock_is_lowered_by_heat_is_slowed(library):
    assert told(library, READ, NVML_LACKS="cool")[0]["slowed"] == 1.0


@pytest.mark.parametrize(
    ("lacks", "missing"), [("energy", {"energy_j"}), ("mig", {"utilization"}), ("permission", {"power_w"})]
)
def test_a_missing_reading_of_a_device_is_none_and_the_others_stay(library, lacks, missing):
    (found,) = told(library, READ, NVML_LACKS=lacks)
    assert {name for name, value in found.items() if value is None} == missing


def test_a_device_that_is_lost_has_no_readings_from_then_on(library):
    (found,) = told(library, READ, NVML_LACKS="lost")
    assert [value is None for value in found.values()] == [False, False, True, True, True, True, True]


def test_devices_are_those_that_a_process_sees_in_its_order(library):
    assert len(told(library, READ, NVML_DEVICES="4")) == 4
    chosen = told(library, READ, NVML_DEVICES="4", CUDA_VISIBLE_DEVICES="2,0,7,1")
    assert [one["utilization"] for one in chosen] == [0.43, 0.41], "those behind an invalid entry do not count"


SAMPLE = """
import time
from dataclasses import asdict
from suite.machine.sampler import Sampler
with Sampler(0.05, devices=True) as sampler:
    sampler.go()
    time.sleep(0.3)
    print(json.dumps([asdict(one) for one in sampler.stop().samples]))
"""


def test_the_sampler_looks_at_devices_too(library):
    samples = told(library, SAMPLE, NVML_DEVICES="2")
    assert all(len(one["devices"]) == 2 for one in samples)
    drawn = [one["devices"][0]["energy_j"] for one in samples]
    assert drawn == sorted(drawn)
    assert drawn[-1] > drawn[0]


def test_a_device_lost_while_it_is_sampled_ends_nothing(library):
    samples = told(library, SAMPLE, NVML_LACKS="lost")
    assert len(samples) >= 4
    assert all(value is None for value in samples[-1]["devices"][0].values())


def test_without_a_driver_there_are_no_devices_and_nothing_fails(library):
    assert all(one["devices"] == [] for one in told(library, SAMPLE, NVML_LACKS="init"))


SERIES = """
from suite.machine.sampler import Sample
from suite.measuring.instruments.utilization import device_series
told = dict(utilization=0.5, memory_bytes=1e9, power_w=200.0, clock_hz=1e9, temperature_c=50.0, slowed=0.0)
look = lambda at_s, energy_j: Sample(at_s, 0, 0, [{**told, "energy_j": energy_j}])
energies = json.loads(ENERGIES)
samples = [look(index / 10, energy) for index, energy in enumerate(energies)]
print(json.dumps({one.metric.name: one.values for one in device_series(samples, steps=4, images=64)}))
"""


def test_joules_of_a_step_and_an_image_come_from_the_energy_counter(library):
    found = told(library, SERIES.replace("ENERGIES", "'[100.0, 104.0, 108.0]'"))
    assert found["energy_of_step"] == [2.0]
    assert found["energy_of_image"] == [2.0 / 64]
    assert found["gpu0_utilization"] == [0.5, 0.5]


def test_without_a_counter_they_come_from_power_over_time(library):
    found = told(library, SERIES.replace("ENERGIES", "'[null, null, null]'"))
    assert found["energy_of_step"] == [pytest.approx(200.0 * 0.2 / 4)]


MEMORY = """
from suite.machine.sampler import Sampler
from suite.measuring.instruments.utilization import device_memory
with Sampler(0.05, devices=True) as sampler:
    sampler.go()
    bare = sampler.stop().samples[-1]
    sampler.go()
    time.sleep(0.1)
    samples = sampler.stop().samples
used = [one.devices[0]["memory_bytes"] for one in (bare, *samples)]
print(json.dumps([{one.metric.name: one.values[0] for one in device_memory(bare, samples)}, max(used) - used[0]]))
"""


def test_memory_of_a_device_is_that_of_the_step_s_processes_where_the_driver_knows_them(library):
    found, _ = told(library, f"import time\n{MEMORY}")
    assert found == {"device_memory_by_process": 700 << 20}


def test_memory_of_a_device_is_otherwise_the_growth_of_its_use(library):
    found, more = told(library, f"import time\n{MEMORY}", NVML_LACKS="processes")
    assert more > 0
    assert found == {"device_memory_by_difference": more}


def test_a_device_without_readings_of_memory_has_no_memory_metric(library):
    assert told(
        library, f"import time\n{MEMORY.replace('used =', '#')}".replace(", max(used) - used[0]", ""), NVML_LACKS="lost"
    ) == [{}]


DOCTOR = """
from dataclasses import asdict
from suite.doctor.gpu_checks import check_devices
print(json.dumps([asdict(one) for one in check_devices()]))
"""


@pytest.mark.parametrize(
    ("lacks", "state", "found"),
    [
        ("", "fine", "persistence on, 55 degrees, clock lowered by nothing"),
        ("persistence", "disturbs", "persistence off"),
        ("cool", "disturbs", "clock lowered by heat"),
        ("lost", "unknown", "the driver said"),
    ],
)
def test_the_doctor_names_what_disturbs_on_a_device(library, lacks, state, found):
    (finding,) = told(library, DOCTOR, NVML_LACKS=lacks)
    assert (finding["name"], finding["state"]) == ("GPU 0", state)
    assert found in finding["found"]
