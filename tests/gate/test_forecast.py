"""The forecast of a gate, before the first block."""

from suite.analysis.thresholds import Thresholds
from suite.gate.deciding.forecast import estimated, too_few
from suite.gate.planning import is_on_device
from suite.gate.record.values import CasePair
from suite.records import Case
from suite.registry import load_levels

load_levels()


def pairs(execution: str, count: int = 2) -> list[CasePair]:
    case = Case("seed_cnn", "sgd", execution)
    return [CasePair(f"{case.id} {number}", case, case, False, is_on_device(case)) for number in range(count)]


def test_a_block_of_two_cases_on_a_device_takes_about_as_long_as_it_took_on_a_real_one():
    """On an H100 four blocks took 15 to 19 s; as on the host's cores, 6 s were expected."""
    costs = estimated(pairs("cuda"), reads_memory=False, kind="expected")
    assert 13 < costs.block_s(2) < 20
    assert estimated(pairs("cpu"), reads_memory=False, kind="expected").block_s(2) < 8


def test_a_gate_of_a_device_that_has_no_chance_is_refused_with_a_budget_that_suffices():
    rows = pairs("cuda", 8)
    least, expected = (estimated(rows, True, kind) for kind in ("least", "expected"))
    assert too_few(least, len(rows), 60.0, Thresholds(), 8)
    advice = too_few(expected, len(rows), 60.0, Thresholds(), 8)
    minutes = int(advice.partition("--budget ")[2].partition("m ")[0])
    assert not too_few(expected, len(rows), 60.0 * minutes, Thresholds(), 8)


def test_executions_on_devices_are_those_that_do_not_compute_on_the_host():
    on_devices = [
        name
        for name in ("cpu", "distributed_r1", "cuda", "model_parallel", "mps", "xpu")
        if is_on_device(Case("seed_cnn", "sgd", name))
    ]
    assert on_devices == ["cuda", "model_parallel", "mps", "xpu"]
