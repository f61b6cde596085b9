"""Facts of two environments are compared only where they must agree, and what differs is named."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.provenance.environment import facts
from suite.records import WorkerSettings, compatibility
from suite.records.compatibility import CODE, IGNORED, NOT_CODE, TO_COMPARE, TO_RESUME
from tests.fakes.made_runs import ENVIRONMENT

PRIORITY = {"nice": 0}
TORCH = {"version": "2.11.0", "mkl": True, "threads": None}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FACTS = st.dictionaries(st.sampled_from(["machine", "software", "container", "commit", "load_before"]), PLAIN)


def differences(before, after):
    return compatibility.differences(before, after, TO_RESUME)


def test_facts_taken_twice_do_not_differ():
    assert differences(facts(WorkerSettings(), 0, TORCH, PRIORITY), facts(WorkerSettings(), 0, TORCH, PRIORITY)) == []


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
def test_a_difference_is_named_with_both_values(path, value, sentence):
    after = copy.deepcopy(ENVIRONMENT)
    part = after
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert differences(ENVIRONMENT, after) == [sentence]


@pytest.mark.parametrize("part", ["load_before", "commit", "threads", "allocator", "priority", "seed"])
def test_facts_that_may_change_within_a_run_are_no_difference(part):
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


def changed(path, value):
    """The usual environment with one fact changed."""
    after = copy.deepcopy(ENVIRONMENT)
    part = after
    for key in path[:-1]:
        part = part.setdefault(key, {})
    part[path[-1]] = value
    return after


@pytest.mark.parametrize("name", sorted({*compatibility.UNREAD, *compatibility.ADDED}))
def test_a_fact_that_one_of_two_runs_lacks_is_no_difference(name):
    """A record of before a fact was recorded can be resumed and compared, and so can one that could not read it."""
    part, _, key = name.partition(".")
    parts = (*TO_RESUME, *TO_COMPARE, *CODE)

    def of(value):
        return {**ENVIRONMENT, part: {**ENVIRONMENT.get(part, {}), **({key: value} if key else {"mine": value})}}

    older = {**ENVIRONMENT, part: ENVIRONMENT.get(part, {})} if key else ENVIRONMENT
    for unknown in [older] * (name in compatibility.ADDED) + [of(None)] * (name in compatibility.UNREAD):
        assert compatibility.differences(of("a value"), unknown, parts) == []
        assert compatibility.differences(unknown, of("a value"), parts) == []
    assert compatibility.differences(of("a value"), of("another"), parts) != []


@pytest.mark.parametrize(("bytes_now", "differs"), [(2**34 + 4096, False), (2**34 - 2**26, False), (2**33, True)])
def test_memory_is_the_same_machine_s_where_it_differs_by_some_pages(bytes_now, differs):
    found = differences(ENVIRONMENT, changed(["machine", "memory_bytes"], bytes_now))
    assert bool(found) == differs


def test_code_is_a_commit_its_differences_and_plug_ins_and_not_the_branch():
    def code(after):
        return compatibility.differences(ENVIRONMENT, after, CODE, ignore=NOT_CODE)

    assert code(changed(["commit", "revision"], "0123456")) == ["commit.revision: 6723e12, now 0123456"]
    assert code(changed(["commit", "branch"], "topic")) == []
    assert code(changed(["commit", "revision"], None)) == []
    clean = changed(["commit", "diff_sha256"], None)
    dirty = changed(["commit", "diff_sha256"], "ab12")
    assert compatibility.differences(clean, dirty, CODE) == ["commit.diff_sha256: None, now ab12"]
    mine, other = changed(["plugins", "mine"], "aa"), changed(["plugins", "mine"], "bb")
    assert compatibility.differences(mine, other, CODE) == ["plugins.mine: aa, now bb"]


def test_facts_that_an_older_record_lacks_are_named():
    devices = ["machine.devices", "machine.device_uuids", "software.torch_build.cudnn"]
    lacking = ["plugins", "variables", "commit.diff_sha256", "container.image", *devices]
    assert compatibility.not_known(ENVIRONMENT, (*CODE, *TO_RESUME)) == lacking
    known = {"plugins": {}, "variables": {}, "container": {**ENVIRONMENT["container"], "image": None}}
    machine = {**ENVIRONMENT["machine"], "devices": {}, "device_uuids": []}
    build = {**ENVIRONMENT["software"]["torch_build"], "cudnn": None}
    known |= {"machine": machine, "software": {**ENVIRONMENT["software"], "torch_build": build}}
    whole = {**changed(["commit", "diff_sha256"], None), **known}
    assert compatibility.not_known(whole, (*CODE, *TO_RESUME)) == []


def test_runs_on_another_host_with_another_version_of_ours_may_be_compared():
    after = copy.deepcopy(ENVIRONMENT)
    after["machine"]["host"] = "another"
    after["software"]["stepmark"] = "9.9"
    after["commit"]["revision"] = "0123456"
    assert compatibility.differences(ENVIRONMENT, after, TO_COMPARE, ignore=IGNORED) == []
    after["threads"]["torch"] = 2
    found = compatibility.differences(ENVIRONMENT, after, TO_COMPARE, ignore=IGNORED)
    assert found == ["threads.torch: 1, now 2"]
