"""Facts of two environments are compared only where they must agree, and what differs is named."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import fingerprint
from suite.environment import facts
from suite.fingerprint import OF_NO_MATTER, TO_COMPARE, TO_RESUME
from suite.records import Plan
from tests.made_runs import ENVIRONMENT

PRIORITY = {"nice": 0}
TORCH = {"version": "2.11.0", "mkl": True, "threads": None}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FACTS = st.dictionaries(st.sampled_from(["machine", "software", "container", "commit", "load_before"]), PLAIN)


def differences(before, after):
    return fingerprint.differences(before, after, TO_RESUME)


def test_facts_taken_twice_do_not_differ():
    assert differences(facts(Plan(), TORCH, PRIORITY), facts(Plan(), TORCH, PRIORITY)) == []


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("machine", "host"), "bench-2", "machine.host: bench-1, now bench-2"),
        (("software", "torch"), None, "software.torch: 2.11.0, now None"),
        (("software", "torch_build", "mkl"), False, "software.torch_build.mkl: True, now False"),
        (("software", "torch_build"), None, "software.torch_build: {'mkl': True, 'debug': False}, now None"),
        (("container", "cpu_quota_cores"), 1.5, "container.cpu_quota_cores: None, now 1.5"),
        (("machine", "gpu"), "H200", "machine.gpu: None, now H200"),
        (("torchrun",), {"nodes": 2}, "torchrun: None, now {'nodes': 2}"),
    ],
)
def test_what_differs_is_named_with_both_values(path, value, sentence):
    after = copy.deepcopy(ENVIRONMENT)
    part = after
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert differences(ENVIRONMENT, after) == [sentence]


@pytest.mark.parametrize("part", ["load_before", "commit", "threads", "allocator", "priority", "seed"])
def test_what_may_change_within_a_run_is_no_difference(part):
    assert differences(ENVIRONMENT, {**ENVIRONMENT, part: {"anything": 1}}) == []


def test_a_part_that_is_missing_is_a_difference():
    before = {"machine": {"host": "a"}}
    assert differences(before, {}) == ["machine: {'host': 'a'}, now None"]
    assert differences({}, before) == ["machine: None, now {'host': 'a'}"]


@given(FACTS, FACTS)
def test_differences_are_found_from_either_side_and_never_in_what_is_equal(before, after):
    assert differences(before, before) == []
    assert len(differences(before, after)) == len(differences(after, before))
    agree = all(before.get(part) == after.get(part) for part in ("machine", "software", "container"))
    assert not (agree and differences(before, after))


def test_runs_on_another_host_with_another_version_of_ours_may_be_compared():
    after = copy.deepcopy(ENVIRONMENT)
    after["machine"]["host"] = "another"
    after["software"]["stepmark"] = "9.9"
    after["commit"]["revision"] = "0123456"
    assert fingerprint.differences(ENVIRONMENT, after, TO_COMPARE, besides=OF_NO_MATTER) == []
    after["threads"]["torch"] = 2
    found = fingerprint.differences(ENVIRONMENT, after, TO_COMPARE, besides=OF_NO_MATTER)
    assert found == ["threads.torch: 1, now 2"]
