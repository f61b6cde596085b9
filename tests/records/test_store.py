"""Record files: what was measured stays, whatever ends the process or fills the disk."""

import errno
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.exports.formats import export
from suite.records import (
    Case,
    Footer,
    Header,
    Measurement,
    Metric,
    Rounds,
    RunPlan,
    RunRecord,
    Series,
    StepmarkError,
    Visit,
    VisitResult,
    WorkerSettings,
)
from suite.records.codec import SCHEMA, decode_header, encode_header
from suite.records.line_file import LineFile
from suite.records.store import JOURNAL_NAME, RECORD_NAME, RunWriter, read_run, read_visits
from suite.units import SCALES
from tests.conftest import GOLDEN

CASE = Case("seed_cnn", "adam", "cpu")
HEADER = Header(
    "run-1",
    "2026-01-02T03:04:05+00:00",
    RunPlan(),
    WorkerSettings(),
    (CASE.id,),
    {"profile": "quick"},
    {"machine": {"host": "a"}},
)
FOOTER = Footer("2026-01-02T03:05:06+00:00", {"measured": 1})
STEP_TIME = Metric("step_time", "s", "lower", "Wall time of one training step.")
VISIT = Visit(0, (2, 1), 3, 4, 0.5, 1.5, 0.25, "precision", 0.01, True)
SERIES = (Series(STEP_TIME, (0.1, 0.2, 0.3)),)
MEASURED = RunRecord(CASE, "measured", "", {"structure": {"depth": 2}}, Measurement(SERIES, SERIES, (VISIT,), ("a b",)))
TURNS = (Rounds(SERIES).take(2), Rounds(SERIES).drop(2))
VISITED = VisitResult(VISIT, TURNS, Rounds(SERIES), {"structure": {"depth": 2}}, ("a b",))

TEXT = st.text(max_size=20)
WHOLE = st.integers(-(2**63), 2**63)
FLOATS = st.floats(-1e99, 1e99)
AMOUNTS = st.floats(0, 1e99)
TIMES = st.floats(1e-9, 1e9)
PLAIN = st.recursive(
    st.none() | st.booleans() | WHOLE | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FACTS = st.dictionaries(TEXT, PLAIN, max_size=3)
WORD = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)
CASES = st.builds(
    Case,
    structure=WORD,
    optimizer=WORD,
    execution=WORD,
    tuning=WORD,
    input=WORD,
    batch_size=st.integers(1, 4096),
    image_size=st.integers(1, 512),
    mode=st.sampled_from(["train", "infer"]),
    seed=st.integers(0, 9),
)
METRICS = st.builds(
    Metric, TEXT, st.sampled_from(sorted(SCALES)), st.sampled_from(["lower", "higher", "neither"]), TEXT
)
VISITS = st.builds(
    Visit,
    index=st.integers(0, 9),
    turns=st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple),
    warmup_rounds=st.integers(0, 9),
    steps_per_round=st.integers(1, 1000),
    started_s=AMOUNTS,
    seconds=AMOUNTS,
    overhead_s=AMOUNTS,
    stopped_by=st.sampled_from(["precision", "time"]),
    precision=st.none() | FLOATS,
    steady=st.booleans(),
)


@st.composite
def series(draw, count: int) -> tuple[Series, ...]:
    """As many values of each metric as there are rounds; step times first."""
    times = Series(STEP_TIME, tuple(draw(st.lists(TIMES, min_size=count, max_size=count))))
    values = st.lists(FLOATS, min_size=count, max_size=count).map(tuple)
    return (times, *draw(st.lists(st.builds(Series, METRICS, values), max_size=2)))


@st.composite
def measurements(draw) -> Measurement:
    """Visits, and as many rounds as they say."""
    visits = tuple(draw(st.lists(VISITS, min_size=1, max_size=3)))
    rounds = draw(series(sum(visit.rounds for visit in visits)))
    warmup = draw(series(sum(visit.warmup_rounds for visit in visits)))
    return Measurement(rounds, warmup, visits, tuple(draw(st.lists(TEXT, max_size=2))))


@st.composite
def visited(draw) -> VisitResult:
    """A visit's result."""
    visit, warnings = draw(VISITS), st.lists(TEXT, max_size=2).map(tuple)
    turns = Rounds(draw(series(visit.rounds))).by(visit.turns)
    return VisitResult(visit, tuple(turns), Rounds(draw(series(visit.warmup_rounds))), draw(FACTS), draw(warnings))


RECORDS = st.one_of(
    st.builds(RunRecord, CASES, st.just("measured"), TEXT, FACTS, measurements()),
    st.builds(RunRecord, CASES, st.sampled_from(["skipped", "failed"]), TEXT, FACTS, st.none() | measurements()),
)
HEADERS = st.builds(
    Header,
    run_id=TEXT,
    started_at=TEXT,
    plan=st.builds(RunPlan, passes=st.integers(1, 9), case_seconds=AMOUNTS, surveys=TEXT),
    workers=st.builds(WorkerSettings, threads=st.integers(1, 9), case_timeout=AMOUNTS, allocator=TEXT),
    planned=st.lists(TEXT, max_size=3, unique=True).map(tuple),
    selection=FACTS,
    environment=FACTS,
)
FOOTERS = st.builds(
    Footer, TEXT, st.dictionaries(TEXT, WHOLE, max_size=3), FACTS, st.lists(FACTS, max_size=2).map(tuple)
)


def write(folder: Path, *records: RunRecord, footer: Footer | None = FOOTER, header: Header = HEADER) -> Path:
    """A run's folder with these records; interrupted where the footer is None."""
    with RunWriter.create(folder, header) as writer:
        for record in records:
            writer.case(record)
        if footer:
            writer.finish(footer)
    return folder / RECORD_NAME


def sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


@given(header=HEADERS, records=st.lists(RECORDS, max_size=3, unique_by=lambda record: record.case.id), footer=FOOTERS)
def test_a_written_record_reads_as_the_same_values(tmp_path_factory, header, records, footer):
    file = write(tmp_path_factory.mktemp("runs") / "run", *records, header=header, footer=footer)
    for place in (file, file.parent):
        run = read_run(place)
        assert (run.header, list(run.cases), run.footer, run.warnings) == (header, records, footer, ())


@settings(max_examples=50)
@given(case=CASES, visits=st.lists(visited(), max_size=3))
def test_visits_of_unfinished_cases_are_read_back(tmp_path_factory, case, visits):
    folder = tmp_path_factory.mktemp("runs") / "run"
    with RunWriter.create(folder, HEADER) as writer:
        for visited in visits:
            writer.visit(case, visited)
    assert read_visits(folder) == ({case.id: visits} if visits else {})


def test_a_name_that_is_no_utf_8_is_kept(tmp_path):
    name = b"/home/j\xfcrgen".decode("utf-8", "surrogateescape")
    file = write(tmp_path / "run", header=replace(HEADER, selection={"profiles": name}))
    file.read_text(encoding="utf-8")
    assert read_run(file).header.selection == {"profiles": name}


def test_a_record_without_a_footer_is_an_interrupted_run(tmp_path):
    run = read_run(write(tmp_path / "run", MEASURED, footer=None))
    assert run.footer is None
    assert run.cases == (MEASURED,)


def test_a_case_written_again_replaces_what_was_written_before(tmp_path):
    failed = RunRecord(CASE, "failed", "killed")
    assert read_run(write(tmp_path / "run", failed, MEASURED)).cases == (MEASURED,)


def test_every_line_is_on_disk_before_the_next_is_begun(tmp_path):
    with RunWriter.create(tmp_path / "run", HEADER) as writer:
        file = tmp_path / "run" / RECORD_NAME
        assert file.read_bytes().count(b"\n") == 1
        writer.case(MEASURED)
        assert file.read_bytes().count(b"\n") == 2
        assert read_run(file).cases == (MEASURED,)


def test_a_line_that_the_disk_did_not_take_is_taken_back(tmp_path, monkeypatch):
    """The disk answers when asked to flush: nothing counts as written before that."""

    def refuse(fd):
        raise OSError(errno.EIO, "Input/output error")

    with RunWriter.create(tmp_path / "run", HEADER) as writer:
        monkeypatch.setattr("suite.records.line_file.os.fsync", refuse)
        with pytest.raises(StepmarkError, match=r"record\.jsonl: Input/output error\.$"):
            writer.case(MEASURED)
        monkeypatch.undo()
        assert read_run(tmp_path / "run").cases == ()
        writer.case(MEASURED)
    assert read_run(tmp_path / "run").cases == (MEASURED,)


def test_a_record_is_lines_of_json_as_the_design_says(tmp_path):
    file = write(tmp_path / "run", MEASURED)
    header, case, footer = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    assert (header["kind"], header["schema"], header["run_id"]) == ("header", SCHEMA, "run-1")
    assert (case["kind"], case["id"], case["outcome"], case["reason"]) == ("case", CASE.id, "measured", "")
    assert case["series"][0]["metric"]["name"] == "step_time"
    assert case["series"][0]["values"] == [0.1, 0.2, 0.3]
    assert (footer["kind"], footer["counts"]) == ("footer", {"measured": 1})


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_torn_last_line_is_left_out_with_a_warning(tmp_path, cut):
    file = write(tmp_path / "run", MEASURED)
    file.write_bytes(file.read_bytes()[:-cut])
    run = read_run(file)
    assert run.footer is None
    assert run.cases == (MEASURED,)
    assert run.warnings == ("record.jsonl: the last line is torn, as a killed process leaves it, and was left out",)


def test_a_record_torn_at_any_byte_is_readable_or_says_that_it_is_no_record(tmp_path):
    whole = write(tmp_path / "run", MEASURED, RunRecord(Case("b", "sgd", "cpu"), "skipped", "größer")).read_bytes()
    ends = [index for index, byte in enumerate(whole, 1) if byte == ord("\n")]
    for length in range(0, len(whole), 7):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(whole[:length])
        lines = sum(end <= length for end in ends)
        if lines:
            assert len(read_run(torn).cases) == lines - 1
        else:
            with pytest.raises(StepmarkError, match="its first line is not a header"):
                read_run(torn)


@pytest.mark.parametrize("damage", [b"{broken}\n", b"\n", b"[1, 2]\n", b"\xff\xfe\n", b'"case"\n'])
def test_a_line_in_the_middle_that_is_no_json_object_is_named(tmp_path, damage):
    file = write(tmp_path / "run", MEASURED)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], damage, *lines[1:]]))
    with pytest.raises(StepmarkError) as error:
        read_run(file)
    assert sentence(error) == f"{file} is no record of stepmark: line 2 is not a JSON object."


@pytest.mark.parametrize("content", [b"", b"{}\n", b"hello\n", b'{"kind": "case"}\n', b'{"kind": "header"}\n', b"[]\n"])
def test_a_file_that_is_no_record_is_refused(tmp_path, content):
    file = tmp_path / "other.jsonl"
    file.write_bytes(content)
    with pytest.raises(StepmarkError, match="is no record of stepmark") as error:
        read_run(file)
    assert str(file) in sentence(error)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("header", {"plan": None}),
        ("header", {"plan": {"unheard_of": 1}}),
        ("header", {"workers": {"threads": 1}}),
        ("header", {"planned": 5}),
        ("case", {"case": {"structure": "a"}}),
        ("case", {"series": [{"metric": "step_time", "values": []}]}),
        ("case", {"visits": None}),
        ("footer", {"resumed": None}),
    ],
)
def test_a_record_with_a_field_that_does_not_fit_is_refused(tmp_path, kind, change):
    file = write(tmp_path / "run", MEASURED)
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    changed = [{**line, **change} if line["kind"] == kind else line for line in lines]
    file.write_text("".join(json.dumps(line) + "\n" for line in changed))
    with pytest.raises(StepmarkError, match="is no record of stepmark: ") as error:
        read_run(file)
    sentence(error)


@pytest.mark.parametrize("schema", [SCHEMA + 1, 0, "1", None, [1]])
def test_a_schema_that_this_version_does_not_know_is_refused_with_those_it_reads(tmp_path, schema):
    file = tmp_path / "record.jsonl"
    file.write_text(json.dumps({"kind": "header", "schema": schema}) + "\n")
    with pytest.raises(StepmarkError, match="this version of stepmark reads schemas 1 to") as error:
        read_run(file)
    assert f"has record schema {schema};" in sentence(error)


@pytest.mark.parametrize("name", ["nothing", "nothing/record.jsonl", "empty"])
def test_a_record_that_is_not_there_is_named(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StepmarkError, match=r"^no record at ") as error:
        read_run(tmp_path / name)
    assert "No such file or directory" in sentence(error)


def test_a_record_is_never_overwritten(tmp_path):
    file = write(tmp_path / "run", MEASURED)
    before = file.read_bytes()
    with pytest.raises(StepmarkError, match="holds a record already") as error:
        RunWriter.create(tmp_path / "run", HEADER)
    assert "--resume" in sentence(error)
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StepmarkError, match=r"^cannot write ") as error:
        RunWriter.create(tmp_path / "file" / "deep" / "run", HEADER)
    assert "Not a directory" in sentence(error)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / RECORD_NAME).mkdir()
    with pytest.raises(StepmarkError, match=r"^cannot write .*record\.jsonl: Is a directory\.$"):
        LineFile(tmp_path / RECORD_NAME)


def test_the_journal_of_visits_is_gone_once_the_run_is_complete(tmp_path):
    with RunWriter.create(tmp_path / "run", HEADER) as writer:
        writer.visit(CASE, VISITED)
        assert read_visits(tmp_path / "run") == {CASE.id: [VISITED]}
        writer.case(MEASURED)
        writer.finish(FOOTER)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [RECORD_NAME]
    assert read_visits(tmp_path / "run") == {}


def test_a_failed_visit_is_not_kept_in_the_journal(tmp_path):
    with RunWriter.create(tmp_path / "run", HEADER) as writer:
        writer.visit(CASE, VisitResult(None, failure="broken"))
    assert read_visits(tmp_path / "run") == {}


def test_a_resumed_run_goes_on_after_the_last_whole_line(tmp_path):
    file = write(tmp_path / "run", MEASURED, footer=None)
    file.write_bytes(file.read_bytes() + b'{"kind": "case", "id": "torn')
    other = RunRecord(Case("b", "sgd", "cpu"), "skipped", "no device")
    with RunWriter.reopen(tmp_path / "run") as writer:
        writer.case(other)
        writer.finish(FOOTER)
    run = read_run(file)
    assert run.cases == (MEASURED, other)
    assert run.warnings == ()
    assert run.footer is not None


def test_a_torn_visit_is_cut_off_when_the_run_is_resumed(tmp_path):
    with RunWriter.create(tmp_path / "run", HEADER) as writer:
        writer.visit(CASE, VISITED)
    journal = tmp_path / "run" / JOURNAL_NAME
    journal.write_bytes(journal.read_bytes() + b'{"kind": "visit", "id"')
    assert read_visits(tmp_path / "run") == {CASE.id: [VISITED]}
    with RunWriter.reopen(tmp_path / "run") as writer:
        writer.visit(CASE, VISITED)
    assert read_visits(tmp_path / "run") == {CASE.id: [VISITED, VISITED]}


def test_the_facts_of_every_resumption_end_in_the_footer(tmp_path):
    write(tmp_path / "run", footer=None)
    with RunWriter.reopen(tmp_path / "run") as writer:
        writer.resumed({"at": "first", "environment": {"load": 1.0}})
    with RunWriter.reopen(tmp_path / "run") as writer:
        writer.resumed({"at": "second"})
        writer.finish(replace(FOOTER, resumed=({"at": "before"},)))
    assert read_run(tmp_path / "run").footer.resumed == (
        {"at": "before"},
        {"at": "first", "environment": {"load": 1.0}},
        {"at": "second"},
    )


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "stepmark-test", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield disk
    done = subprocess.run(["umount", str(disk)], capture_output=True, text=True, check=False)
    if done.returncode:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        pytest.fail(f"a file was left open: {done.stderr.strip()}")


def test_a_full_disk_leaves_whole_lines_and_the_run_can_be_resumed(small_disk):
    (small_disk / "filler").write_bytes(b"x" * 8192)
    measured = [replace(MEASURED, case=replace(CASE, seed=seed), reason="x" * 3000) for seed in range(40)]
    written: list[RunRecord] = []
    writer = RunWriter.create(small_disk / "run", HEADER)
    with writer, pytest.raises(StepmarkError) as error:  # noqa: PT012 - which line is refused, the disk decides
        for record in measured:
            writer.case(record)
            written.append(record)
    file = small_disk / "run" / RECORD_NAME
    assert sentence(error) == f"cannot write {file}: No space left on device."
    assert file.read_bytes().endswith(b"}\n")
    assert read_run(file).cases == tuple(written)
    assert read_run(file).warnings == ()
    assert 0 < len(written) < len(measured)
    (small_disk / "filler").unlink()
    with RunWriter.reopen(small_disk / "run") as again:
        again.case(measured[len(written)])
    assert len(read_run(file).cases) == len(written) + 1


def test_a_run_that_finds_no_room_for_its_header_leaves_nothing_behind(small_disk):
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"x" * 2**20)
    with pytest.raises(StepmarkError, match=r"No space left on device\.$"):
        RunWriter.create(small_disk / "deep" / "run", HEADER)
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_records_of_every_schema_ever_written_stay_readable(schema):
    golden = GOLDEN / f"record_schema_{schema}"
    run = read_run(golden)
    assert run.missing == ()
    assert {record.outcome for record in run.cases} == {"measured", "skipped", "failed"}
    assert export(run, "csv").encode() == (golden / "cases.csv").read_bytes()


def test_a_header_is_written_as_it_was_read_with_plan_and_worker_settings_in_one_object():
    with (GOLDEN / f"record_schema_{SCHEMA}" / RECORD_NAME).open(encoding="utf-8") as file:
        line = json.loads(file.readline())
    header = decode_header(line)
    assert json.dumps(encode_header(header)) == json.dumps(line)
    assert (header.plan.order_seed, header.workers.case_timeout) == (7, 120.0)
