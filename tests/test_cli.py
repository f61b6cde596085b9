"""The stepmark command as a user meets it: real processes, their output, and their exit codes."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.exports.formats import FORMATS, export
from suite.records.factors import FACTORS
from suite.records.store import RunWriter, read_run
from tests.fakes import made_runs

KEYS = ["id", *(factor.name for factor in FACTORS if not factor.silent), "runnable", "reason"]
PROFILES = """
[mine]
structures = ["seed_cnn"]
optimizers = ["sgd", "adam"]
executions = ["cpu"]
image_sizes = [28, 2]
"""


@pytest.fixture
def stepmark(tmp_path):
    """Runs the command in the test's own folder, as a process that buffers its output like any other."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}

    def run(*arguments, python=(), **options):
        return subprocess.run(
            [sys.executable, *python, "-m", "suite.cli", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            text=True,
            check=False,
            timeout=120,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    return run


@pytest.fixture
def mine(tmp_path):
    """The options that name a profile of two cases that run and two that do not."""
    (tmp_path / "profiles.toml").write_text(PROFILES)
    return ("--profiles", "profiles.toml", "--profile", "mine")


@pytest.fixture
def record(tmp_path):
    """A complete run's folder."""
    made = made_runs.quick_run()
    with RunWriter.create(tmp_path / "run", made.header) as writer:
        for case in made.cases:
            writer.case(case)
        writer.finish(made.footer)
    return tmp_path / "run"


def assert_refused(done, *parts):
    """Exit code 2, one sentence on standard error that holds `parts`, nothing on standard output."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("stepmark: ")
    assert done.stderr.endswith(".\n")
    assert done.stdout == ""
    for part in parts:
        assert part in done.stderr


# list


def test_the_list_is_a_table_with_a_reason_for_what_does_not_run(stepmark, mine):
    done = stepmark("list", *mine)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "seed_cnn-sgd-cpu      runs here",
        "seed_cnn-sgd-cpu-i2   seed_cnn needs images of at least 4 pixels a side, not 2",
        "seed_cnn-adam-cpu     runs here",
        "seed_cnn-adam-cpu-i2  seed_cnn needs images of at least 4 pixels a side, not 2",
        "4 of 4 cases listed, 2 run here, 2 do not",
    ]


def test_the_list_as_json_is_one_object_a_line(stepmark, mine):
    done = stepmark("list", *mine, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    listed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(one) for one in listed] == [KEYS] * 4
    assert listed[0] == {
        "id": "seed_cnn-sgd-cpu",
        "structure": "seed_cnn",
        "optimizer": "sgd",
        "execution": "cpu",
        "tuning": "eager",
        "input": "synthetic",
        "batch_size": 64,
        "image_size": 28,
        "mode": "train",
        "schedule": "constant",
        "epochs": 12,
        "runnable": True,
        "reason": "",
    }
    assert listed[1]["runnable"] is False
    assert listed[1]["reason"] == "seed_cnn needs images of at least 4 pixels a side, not 2"


def test_an_expression_shortens_the_list(stepmark, mine):
    done = stepmark("list", *mine, "-k", "ADAM and not i2")
    assert done.stdout.splitlines() == ["seed_cnn-adam-cpu  runs here", "1 of 4 cases listed, 1 run here, 0 do not"]


def test_a_shard_shortens_the_list_as_it_does_a_run(stepmark, mine):
    done = stepmark("list", *mine, "--shard", "2/2")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "seed_cnn-sgd-cpu-i2",
        "seed_cnn-adam-cpu-i2",
        "2",
    ]


def test_an_expression_that_matches_nothing_lists_nothing(stepmark, mine):
    done = stepmark("list", *mine, "-k", "nowhere", "--format", "json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_list_of_a_design_says_how_many_it_chose_and_why_others_could_not_be(stepmark, tmp_path):
    (tmp_path / "profiles.toml").write_text(
        PROFILES + 'batch_sizes = [8, 16, 64]\nmodes = ["train", "infer"]\ndesign = 0.25\n'
    )
    mine = ("list", "--profiles", "profiles.toml", "--profile", "mine")
    left_out = [
        "design 0.25: 3 of 18 cases chosen; 6 more run here, 9 do not",
        "  9 not here: seed_cnn needs images of at least 4 pixels a side, not 2",
    ]
    table = stepmark(*mine)
    assert (table.returncode, table.stderr) == (0, "")
    lines = table.stdout.splitlines()
    assert [line.partition("  ")[2].strip() for line in lines[:3]] == ["runs here"] * 3
    assert lines[3:] == [
        *left_out,
        "inference cases have no optimizer; each is listed once, under the profile's first optimizer",
        "3 of 3 cases listed, 3 run here, 0 do not",
    ]
    listed = stepmark(*mine, "--format", "json")
    assert (listed.returncode, listed.stderr.splitlines()) == (0, left_out)
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [line.split()[0] for line in lines[:3]]


@pytest.mark.slow
def test_a_list_of_a_design_quotes_some_of_many_reasons(stepmark, tmp_path):
    (tmp_path / "profiles.toml").write_text('[mine]\nimage_sizes = [28, 2]\ndesign = "pairwise"\n')
    lines = stepmark("list", "--profiles", "profiles.toml", "--profile", "mine").stdout.splitlines()
    assert len([line for line in lines if " not here: " in line]) == 5
    assert lines[-2].startswith("  and ")
    assert lines[-2].endswith(" more reasons")


def test_a_list_is_what_pytest_collects(stepmark, tmp_path):
    (tmp_path / "profiles.toml").write_text(
        '[mine]\nstructures = ["seed_cnn", "plain_*"]\nexecutions = ["cpu"]\nbatch_sizes = [8, 64]\n'
        'design = "pairwise"\n'
    )
    mine = ("--profiles", "profiles.toml", "--profile", "mine")
    listed = stepmark("list", *mine, "--format", "json").stdout.splitlines()
    collected = stepmark("run", *mine, "-p", "no:cacheprovider", "--collect-only", "-q").stdout.splitlines()
    ids = [line.partition("[")[2].rstrip("]") for line in collected if "test_training_step[" in line]
    assert ids == [json.loads(line)["id"] for line in listed] != []


@pytest.mark.slow
def test_only_a_pairwise_design_imports_the_library_for_it(stepmark, tmp_path):
    for design, imported in (('"full"', False), ("0.5", False), ('"pairwise"', True)):
        (tmp_path / "profiles.toml").write_text(f"[mine]\nbatch_sizes = [8, 64]\ndesign = {design}\n")
        done = stepmark("list", "--profiles", "profiles.toml", "--profile", "mine", python=("-X", "importtime"))
        assert done.returncode == 0, done.stderr
        assert ("covertable" in done.stderr) is imported


def test_the_quick_profile_is_listed_where_none_is_named(stepmark):
    assert stepmark("list").stdout == stepmark("list", "--profile", "quick").stdout


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--profile", "huge"], ["profile 'huge' is not in ", "allowed: smoke, quick, full, "]),
        (["--profiles", "missing.toml"], ["cannot read profiles from ", "missing.toml: No such file or directory."]),
        (["-k", "adam and"], ["-k is 'adam and'; allowed: words joined by and, or, not and brackets."]),
        (["-k", "adam (sgd)"], ["-k is 'adam (sgd)'; "]),
        (["-k", "__import__('os').system('echo pwned')"], ["allowed: words joined by and, or, not and brackets."]),
    ],
)
def test_a_wrong_list_is_one_sentence(stepmark, arguments, parts):
    assert_refused(stepmark("list", *arguments), *parts)


# report


def test_a_report_is_one_page_and_its_path_is_printed(stepmark, record, tmp_path):
    done = stepmark("report", record, "-o", "page.html")
    assert (done.returncode, done.stdout, done.stderr) == (0, "page.html\n", "")
    page = (tmp_path / "page.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "residual_d8w32-adamw-cpu" in page


@pytest.mark.slow
def test_the_record_may_be_named_as_folder_or_as_file(stepmark, record):
    assert stepmark("report", record / "record.jsonl", "-o", "page.html").returncode == 0
    assert stepmark("export", record / "record.jsonl", "--format", "csv").stdout == (
        stepmark("export", record, "--format", "csv").stdout
    )


def test_two_records_on_one_page_are_refused(stepmark, record):
    assert_refused(stepmark("report", record, record, "-o", "page.html"), "2 records were given")


# export


def test_an_export_goes_to_standard_output(stepmark, record):
    done = stepmark("export", record, "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["id"] for row in rows] == [one.case.id for one in made_runs.quick_run().cases]
    assert {row["outcome"] for row in rows} == {"measured", "skipped", "failed"}


def test_an_export_goes_to_a_file_whose_path_is_printed(stepmark, record, tmp_path):
    done = stepmark("export", record, "--format", "pytest-benchmark", "-o", "rounds.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "rounds.json\n", "")
    measured = [one.case.id for one in made_runs.quick_run().cases if one.outcome == "measured"]
    exported = json.loads((tmp_path / "rounds.json").read_text())
    assert [one["param"] for one in exported["benchmarks"]] == measured


def test_an_unknown_format_is_one_sentence_and_writes_nothing(stepmark, record, tmp_path):
    done = stepmark("export", record, "--format", "xml", "-o", "out.xml")
    assert_refused(done, f"export format 'xml' is not known; allowed: {', '.join(FORMATS)}.")
    assert not (tmp_path / "out.xml").exists()


# what report and export refuse alike

WRITERS = [("report",), ("export", "--format", "csv")]


@pytest.mark.parametrize("command", WRITERS, ids=lambda command: command[0])
def test_a_file_that_is_no_record_is_refused_in_one_sentence(stepmark, tmp_path, command):
    (tmp_path / "notes.txt").write_text("precious\n")
    (tmp_path / "empty").mkdir()
    assert_refused(stepmark(*command, "notes.txt", "-o", "out"), "notes.txt is no record of stepmark")
    assert_refused(stepmark(*command, "nowhere", "-o", "out"), "no record at nowhere", "No such file or directory")
    assert_refused(stepmark(*command, "empty", "-o", "out"), "no record at empty")
    assert_refused(stepmark("show", "empty"), "no record at empty")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITERS, ids=lambda command: command[0])
def test_an_output_that_cannot_be_written_is_one_sentence(stepmark, record, tmp_path, command):
    (tmp_path / "file").write_text("precious\n")
    assert_refused(stepmark(*command, record, "-o", "file/out"), "cannot write file/out: Not a directory")
    assert_refused(stepmark(*command, record, "-o", "nowhere/out"), "cannot write nowhere/out: No such file")
    assert (tmp_path / "file").read_text() == "precious\n"


# run


def test_a_run_that_selects_nothing_is_wrong_usage(stepmark, mine, tmp_path):
    done = stepmark("run", *mine, "-p", "no:cacheprovider", "-k", "nothing_matches", "--record", "here")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "4 deselected" in done.stdout
    assert not (tmp_path / "here").exists()


def test_a_run_with_an_unknown_option_is_wrong_usage(stepmark):
    done = stepmark("run", "-p", "no:cacheprovider", "--no-such-option")
    assert done.returncode == 2
    assert "unrecognized arguments: --no-such-option" in done.stderr


# around the commands


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["list", "--format", "xml"], ["export", "run"], ["report"]])
def test_a_wrong_command_line_is_exit_code_2(stepmark, arguments):
    done = stepmark(*arguments)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed(stepmark):
    done = stepmark("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "stepmark")


SHORT, LONG = ("--profile", "quick"), ("--profile", "full", "--format", "json")


def closed_pipe(stepmark, *arguments):
    """The command with a standard output that nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        return stepmark(*arguments, stdout=theirs)
    finally:
        os.close(theirs)


def test_a_pipe_that_is_closed_while_it_is_written_to_is_no_error(stepmark):
    done = closed_pipe(stepmark, "list", *LONG)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pipe_that_is_closed_before_it_is_written_to_is_no_error(stepmark):
    done = closed_pipe(stepmark, "list", *SHORT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_first_line_of_a_list_can_be_taken_alone(stepmark):
    done = stepmark("list", *LONG, stdout=subprocess.PIPE)
    command = f"set -o pipefail; {sys.executable} -m suite.cli list {' '.join(LONG)} | head -n 1"
    piped = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert piped.stdout == done.stdout.splitlines(keepends=True)[0]
    assert (piped.returncode, piped.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--profile", "full"),
        ("show", "run"),
        ("completion", "bash"),
        ("report", "run", "-o", "page.html"),
        ("export", "run", "--format", "csv"),
        ("export", "run", "--format", "pytest-benchmark"),
    ],
    ids=lambda arguments: "-".join((arguments[0], arguments[-1])),
)
def test_commands_that_measure_nothing_import_no_torch(stepmark, record, arguments):
    done = stepmark(*arguments, python=("-X", "importtime"))
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "suite.records" in imported
    assert {name for name in imported if name.partition(".")[0] in ("torch", "torchvision")} == set()


def in_shell(folder, *arguments, end="", begin=""):
    """The command in a shell, with what stands before and behind it there."""
    line = f"set -o pipefail; {begin} {sys.executable} -m suite.cli {' '.join(map(str, arguments))} {end}"
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(("end", "code"), [(">&-", 0), ("> /dev/full", 2), ("| true", 0), ("2>&-", 0), ("<&-", 0)])
def test_a_command_ends_without_a_traceback_whatever_its_streams_are(tmp_path, end, code):
    done = in_shell(tmp_path, "list", *LONG, end=end)
    assert done.returncode == code, done.stderr
    refused = "stepmark: cannot write standard output: No space left on device.\n"
    assert done.stderr == (refused if code else "")


@pytest.mark.parametrize("end", [">&-", "> /dev/full", "| true"])
def test_a_comparison_that_cannot_be_printed_keeps_its_exit_code(tmp_path, end):
    disturbed = Path(__file__).parent / "golden" / "record_schema_5"
    assert in_shell(tmp_path, "compare", disturbed, disturbed, end="").returncode == 11
    done = in_shell(tmp_path, "compare", disturbed, disturbed, end=end)
    assert (done.returncode, "Traceback" in done.stderr) == (11, False)


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param("PYTHONIOENCODING=ascii", id="ascii"),
        pytest.param("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0", id="C", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_characters_that_an_ascii_output_lacks_are_written_by_their_code(tmp_path, record, begin):
    done = in_shell(tmp_path, "report", record, "-o", "\u00fc.html", begin=begin)
    assert done.returncode == 0, done.stderr
    assert done.stdout in ("\\xfc.html\n", "\\udcc3\\udcbc.html\n"), "of UTF-8, or of bytes that the locale cannot read"


@pytest.mark.slow
def test_a_refusal_of_the_system_is_said_as_what_it_is(tmp_path, record):
    code = "import os, suite.cli, tempfile; tempfile.tempdir = None; os.environ['TMPDIR'] = '/nowhere'; "
    code += "tempfile._candidate_tempdir_list = lambda: ['/nowhere']; suite.cli.main(['doctor'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stderr.splitlines()
    assert said == ["stepmark: the system refuses: No usable temporary directory found in ['/nowhere']."]


def test_a_record_goes_to_standard_output_by_the_name_of_that(tmp_path, record):
    plain = in_shell(tmp_path, "export", record, "--format", "csv")
    named = in_shell(tmp_path, "export", record, "--format", "csv", "-o", "/dev/stdout", end="| cat")
    assert named.stdout == f"{plain.stdout}/dev/stdout\n", named.stderr
    assert Path("/dev/stdout").is_symlink()


def test_run_is_the_very_process_that_pytest_runs_in(tmp_path):
    """A signal to one of them then ends the other: nothing is left over."""
    (tmp_path / "conftest.py").write_text("import os\nprint('pytest', os.getpid(), flush=True)\n")
    command = [sys.executable, "-m", "suite.cli", "run", "--markers", "-p", "conftest"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running:
        out, _ = running.communicate(timeout=120)
    assert f"pytest {running.pid}" in out
    assert running.returncode == 0


# effects and recommend


def test_effects_are_a_table_or_json_with_the_numbers_of_the_csv(stepmark, record):
    done = stepmark("effects", record)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("step_time of 25 cases (step time without the machine's drift; lower is better)")
    facts = json.loads(stepmark("effects", record, "--format", "json", "-k", "resnet18").stdout)
    (adam,) = [one for one in facts["effects"] if (one["dimension"], one["level"]) == ("optimizer", "adam")]
    (pair,) = adam["pairs"]
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(export(read_run(record), "csv")))}
    one, other = (float(rows[name]["step_time_without_drift_s"]) for name in (*pair["ids"], *pair["against_ids"]))
    assert pair["ids"] == ["resnet18-adam-cpu"]
    assert adam["ratio"] == pytest.approx(one / other, rel=1e-12)
    assert adam["low"] < adam["ratio"] < adam["high"]


def test_a_metric_that_the_record_lacks_and_a_limit_without_its_unit_are_refused(stepmark, record):
    without = stepmark("effects", record, "--metric", "energy")
    assert_refused(
        without, "no measured case of the record has a value of energy; allowed: a metric that the record has"
    )
    bare = stepmark("recommend", record, "--max-memory", "600")
    assert_refused(bare, "--max-memory is '600'; allowed: a number above 0 with its unit (GiB, MiB, KiB, B)")


def test_a_recommendation_is_within_its_limits_or_says_what_excludes_the_cases(stepmark, record):
    done = stepmark("recommend", record, "--max-time", "10ms")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "fastest for train, batch size 64, image size 28 within --max-time 10.00 ms: seed_cnn-"
    )
    none = stepmark("recommend", record, "--max-time", "1us", "--format", "json")
    assert none.returncode == 1
    (group,) = json.loads(none.stdout)["groups"]
    assert group["recommended"] is None
    assert group["nearest"].startswith("seed_cnn-")
    assert group["excluded"] == [{"option": "max-time", "outside": 25, "unknown": 0}]
