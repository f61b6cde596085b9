"""NVML through the real binding: a small library built here stands in for the driver's where there is none."""

import json
from pathlib import Path

import pytest

from tests.fakes.drivers import COMPILER, answer, build

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
ALL = {"utilization", "memory_bytes", "power_w", "energy_j", "clock_hz", "temperature_c", "slowed"}


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("drivers"))


READ = """
from suite.machine.nvml import driver, handles, read
with driver():
    print(json.dumps([read(one) for one in handles()]))
"""


def test_readings_of_a_device_are_in_base_units(library):
    (found,) = answer(library, READ)
    assert set(found) == ALL
    assert found["utilization"] == 0.41
    assert found["memory_bytes"] == 3 << 30
    assert found["power_w"] == 260.0, "power now, not the mean of the last second"
    assert found["energy_j"] == 1025.0
    assert found["clock_hz"] == 1.41e9
    assert found["temperature_c"] == 55.0
    assert found["slowed"] == 0.0, "an idle device's clock is low, and nothing slows it"


def test_power_is_the_drivers_mean_where_it_gives_no_other(library):
    assert answer(library, READ, NVML_LACKS="instant")[0]["power_w"] == 250.0


def test_a_device_whose_clock_is_lowered_by_heat_is_slowed(library):
    assert answer(library, READ, NVML_LACKS="cool")[0]["slowed"] == 1.0


@pytest.mark.parametrize(
    ("lacks", "missing"), [("energy", {"energy_j"}), ("mig", {"utilization"}), ("permission", {"power_w"})]
)
def test_a_missing_reading_of_a_device_is_none_and_the_others_stay(library, lacks, missing):
    (found,) = answer(library, READ, NVML_LACKS=lacks)
    assert {name for name, value in found.items() if value is None} == missing


def test_a_device_that_is_lost_has_no_readings_from_then_on(library):
    (found,) = answer(library, READ, NVML_LACKS="lost")
    assert [value is None for value in found.values()] == [False, False, True, True, True, True, True]


def test_devices_are_those_that_a_process_sees_in_its_order(library):
    """The stand-in's utilization is 0.41 of the first device on the bus; CUDA's first is the fastest, the last one."""
    assert [one["utilization"] for one in answer(library, READ, NVML_DEVICES="4")] == [0.44, 0.43, 0.42, 0.41]
    chosen = answer(library, READ, NVML_DEVICES="4", CUDA_VISIBLE_DEVICES="2,0,7,1")
    assert [one["utilization"] for one in chosen] == [0.42, 0.44], "those behind an invalid entry do not count"
    by_bus = answer(library, READ, NVML_DEVICES="4", CUDA_VISIBLE_DEVICES="2,GPU-a0", CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert [one["utilization"] for one in by_bus] == [0.43, 0.41]


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
    samples = answer(library, SAMPLE, NVML_DEVICES="2")
    assert all(len(one["devices"]) == 2 for one in samples)
    drawn = [one["devices"][0]["energy_j"] for one in samples]
    assert drawn == sorted(drawn)
    assert drawn[-1] > drawn[0]


def test_a_device_lost_while_it_is_sampled_ends_nothing(library):
    samples = answer(library, SAMPLE, NVML_LACKS="lost")
    assert len(samples) >= 4
    assert all(value is None for value in samples[-1]["devices"][0].values())


def test_without_a_driver_there_are_no_devices_and_nothing_fails(library):
    assert all(one["devices"] == [] for one in answer(library, SAMPLE, NVML_LACKS="init"))


SERIES = """
from suite.machine.sampler import Observation, Sample, Totals
from suite.measuring.instruments.utilization import Window, device_series
read = dict(utilization=0.5, memory_bytes=1e9, power_w=200.0, clock_hz=1e9, temperature_c=50.0, slowed=0.0)
look = lambda at_s, energy_j: Sample(at_s, 0, 0, [{**read, "energy_j": energy_j}, {**read, "energy_j": 7.0}])
energies = json.loads(os.environ["ENERGIES"])
samples = [look(index / 10, energy) for index, energy in enumerate(energies)]
window = Window(0.0, 4, Observation(samples, None, None), None, devices=(0,))
print(json.dumps({one.metric.name: one.values for one in device_series(samples, window, images=64)}))
"""


def test_joules_of_a_step_and_an_image_come_from_the_energy_counter_of_the_device_that_it_uses(library):
    found = answer(library, SERIES, ENERGIES="[100.0, 104.0, 108.0]")
    assert found["energy_of_step"] == [2.0], "a device that took no part is not charged"
    assert found["energy_of_image"] == [2.0 / 64]
    assert found["gpu0_utilization"] == [0.5, 0.5]
    assert "gpu1_utilization" not in found


def test_without_a_counter_they_come_from_power_over_time(library):
    found = answer(library, SERIES, ENERGIES="[null, null, null]")
    assert found["energy_of_step"] == [pytest.approx(200.0 * 0.2 / 4)]


def test_a_counter_that_began_anew_is_as_good_as_none(library):
    found = answer(library, SERIES, ENERGIES="[100.0, 0.5, 2.0]")
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
print(json.dumps([{one.metric.name: one.values[0] for one in device_memory(bare, samples, [0])}, max(used) - used[0]]))
"""


def test_memory_of_a_device_is_that_of_the_step_s_processes_where_the_driver_knows_them(library):
    found, _ = answer(library, f"import time\n{MEMORY}")
    assert found == {"device_memory_by_process": 700 << 20}


def test_memory_of_a_device_is_otherwise_the_growth_of_its_use(library):
    found, more = answer(library, f"import time\n{MEMORY}", NVML_LACKS="processes")
    assert more > 0
    assert found == {"device_memory_by_difference": more}


def test_a_device_without_readings_of_memory_has_no_memory_metric(library):
    assert answer(
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
        ("", "fine", "persistence mode on, 55 degrees Celsius, clock not lowered, 77.00 GiB of 80.00 GiB free"),
        ("persistence", "disturbs", "persistence mode off"),
        ("cool", "disturbs", "clock lowered by heat"),
        ("exclusive", "disturbs", "does not permit several processes"),
        ("small", "disturbs", "9.000 GiB of 12.00 GiB free: room for 4 workers at a time"),
        ("lost", "unknown", "the driver reported"),
    ],
)
def test_the_doctor_names_what_disturbs_on_a_device(library, lacks, state, found):
    (finding,) = answer(library, DOCTOR, NVML_LACKS=lacks)
    assert (finding["name"], finding["state"]) == ("GPU 0", state)
    assert found in finding["found"]


def test_the_doctor_says_why_no_device_can_be_used(library):
    device, usable = answer(library, DOCTOR, CUDA_LACKS="old")
    assert device["state"] == "fine"
    assert usable["found"] == "no device can be used: the driver supports CUDA 12.4, and torch was built for CUDA 13.0"
    assert usable["advice"] == "install a driver for CUDA 13, or a torch for CUDA 12"


FACTS = """
from suite.provenance.environment import machine
from suite.records.compatibility import IGNORED, TO_COMPARE, TO_RESUME, differences
def taken(variables):
    before = dict(os.environ)
    os.environ.update(variables)
    cuda.driver.cache_clear()
    found = {"machine": machine()}
    os.environ.clear()
    os.environ.update(before)
    return found
one, other = taken({}), taken(json.loads(os.environ["OTHER"]))
compared = differences(one, other, TO_COMPARE, ignore=IGNORED)
print(json.dumps([one["machine"]["devices"], compared, differences(one, other, TO_RESUME)]))
"""


def test_facts_of_a_device_are_those_that_can_move_a_step_time(library):
    (device,) = answer(library, FACTS, OTHER="{}")[0].values()
    assert device == {
        "name": "Stand-in 0",
        "memory_bytes": 80 << 30,
        "capability": "9.0",
        "compute_mode": "default",
        "driver_supports": "13.1",
        "driver": "580.95.05",
        "power_limit_w": 700.0,
        "clock_max_hz": 1.98e9,
        "clock_wanted_hz": None,
        "memory_clock_max_hz": 2.619e9,
        "persistence": True,
        "mig": False,
        "ecc": True,
    }


@pytest.mark.parametrize(
    ("other", "compared"),
    [
        ({"NVML_LACKS": "capped"}, ["machine.devices.0.power_limit_w: 700.0, now 350.0"]),
        ({"NVML_LACKS": "ecc"}, []),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["machine.devices.0.name: Stand-in 1, now Stand-in 0"]),
    ],
)
def test_runs_on_devices_that_differ_are_not_comparable(library, other, compared):
    """A reading that one of them lacks is no difference."""
    _, found, _ = answer(library, FACTS, NVML_DEVICES="2", CUDA_VISIBLE_DEVICES="0", OTHER=json.dumps(other))
    assert found == compared


def test_a_run_is_compared_with_one_on_a_board_of_the_same_kind_and_resumed_on_the_same_board(library):
    code = FACTS.replace('found = {"machine": machine()}', 'found = {"machine": {**machine(), "devices": {}}}')
    variables = {"NVML_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "0", "OTHER": json.dumps({"CUDA_VISIBLE_DEVICES": "1"})}
    _, compared, resumed = answer(library, code, **variables)
    assert compared == []
    assert len(resumed) == 1
    assert resumed[0].startswith("machine.device_uuids: ['a1a1a1a1-")


ABREAST = """
from pathlib import Path
from suite.matrix.profiles import load_profile
from suite.records import Case, RunPlan, WorkerSettings
from suite.registry import load_levels
from suite.runner.settings import Settings, fitted_to_devices
load_levels()
def abreast(execution, **keeps):
    settings = Settings(None, RunPlan(abreast=32), WorkerSettings(), None, None, **keeps)
    return fitted_to_devices(settings, [Case("seed_cnn", "sgd", execution)]).plan.abreast
print(json.dumps([abreast("cuda"), abreast("cpu"), abreast("cuda", keeps_abreast=True)]))
"""


@pytest.mark.parametrize(
    ("variables", "workers"),
    [
        ({}, [32, 32, 32]),
        ({"NVML_LACKS": "small"}, [4, 32, 32]),
        ({"CUDA_LACKS": "exclusive"}, [1, 32, 32]),
    ],
)
def test_no_more_workers_live_at_once_than_a_device_has_room_for(library, variables, workers):
    """9 GiB are free of 12: an instrument may take 3, and a worker 1.5."""
    assert answer(library, ABREAST, **variables) == workers


EXCLUSIVE = """
from suite.errors import StepmarkError
from suite.gate.planning import refuse_exclusive_devices
from suite.gate.record.values import CasePair
from suite.records import Case
from suite.registry import load_levels
load_levels()
def said(execution):
    case = Case("seed_cnn", "sgd", execution)
    try:
        return refuse_exclusive_devices([CasePair(case.id, case, case, False)]) or ""
    except StepmarkError as error:
        return str(error)
shared = said("cuda")
os.environ["CUDA_LACKS"] = "exclusive"
cuda.driver.cache_clear()
print(json.dumps([shared, said("cuda"), said("cpu")]))
"""


@pytest.mark.slow
def test_a_gate_is_refused_on_a_device_that_takes_one_process_at_a_time(library):
    shared, on_device, on_host = answer(library, EXCLUSIVE)
    assert on_device.endswith("; sudo nvidia-smi -c 0 ends that.")
    assert shared == on_host == ""
