"""The architecture as layers of rooms: a room imports the rooms below it, and nothing else but the named exceptions."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import suite
from tests.conftest import PROJECT, TESTS

ROOT = Path(suite.__file__).parent

LAYERS = (
    {"cli", "plugin", "zygote"},  # doors: two commands, and the process that forks workers
    {"frontend"},  # what the doors need of a shell, a terminal and pytest
    {"gate", "doctor", "report", "exports", "comparison", "starter"},  # products: none knows another
    {"overview"},  # the first answers of a run
    {"effects"},  # what a level costs, and which case to choose
    {"runner"},  # the controlling process
    {"levels", "matrix", "measuring", "analysis"},  # these meet through registry, contracts and records
    {"configuration"},  # values of options by file and environment
    {"registry", "options"},
    {"contracts"},  # base classes of levels
    {"distributed", "provenance"},
    {"machine"},
    {"protocol"},
    {"records"},
    {"units", "errors", "theme", "option_kinds", "markup"},
)
"""Rooms from top to bottom; a file in the root is a room of its own. Rooms of one layer do not import each other."""

LAYERS_OF_GATE = (
    {"gate.runner"},
    {"gate.planning", "gate.output"},
    {"gate.options"},
    {"gate.measuring", "gate.deciding"},
    {"gate.arms", "gate.formats"},
    {"gate.record"},
    {"gate.verdict"},
)
"""The same of the rooms within the gate."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""(Module, module of a room that it may not import) -> why it does."""

MAY_NEED = {
    "records.decoding": {"msgspec"},
    "records.json_schema": {"msgspec"},
    "machine": {"psutil", "pynvml"},
    "machine.torchrun": {"torch"},
    "provenance": {"psutil"},
    "contracts": {"torch"},
    "distributed": {"torch"},
    "levels": {"sklearn", "torch", "torchvision"},
    "matrix": {"covertable"},
    "measuring": {"torch"},
    "zygote": {"torch", "torchvision"},
    "plugin": {"pytest"},
    "exports.openmetrics": {"prometheus_client"},
    "exports.parquet": {"pyarrow"},
    "exports.pytest_benchmark": {"pytest_benchmark"},
    "theme": {"jinja2", "markupsafe"},
    "report.charts": {"altair", "vl_convert"},
    "report.data": {"numpy"},
    "report.files": {"markupsafe"},
    "report.page": {"markupsafe"},
    "report.svg": {"numpy"},
    "report.table": {"markupsafe"},
    "doctor": {"psutil", "pynvml"},
    "frontend.result_table": {"rich"},
    "frontend.live_table": {"rich"},
    "frontend.completion": {"shtab"},
    "effects.front": {"numpy"},
    "effects.linear_model": {"numpy"},
    "effects.predictions": {"numpy"},
    "effects.responses": {"numpy"},
    "effects.separation": {"numpy"},
    "gate.deciding": {"numpy", "scipy"},
    "gate.record.paired_rounds": {"numpy"},
}
"""Room or module -> packages of others that it may import, anywhere in its text; all else: the standard library."""

TORCH_AT_IMPORT = ("measuring.", "levels.digits", "levels.layers", "levels.muon")
"""Beginnings of the names of modules that may import torch as soon as they are imported."""

READING = {"records", "analysis", "comparison", "effects", "exports", "overview", "report"}
READING_OF_GATE = {"gate.record", "gate.deciding", "gate.formats", "gate.verdict"}
"""Rooms that read records."""
MEASURING = {"contracts", "distributed", "levels", "measuring", "runner", "zygote"}
"""Rooms that none of these reaches, whatever it imports in between."""

MOST_FILES_IN_ROOT = 10
UNCLEAR_NAMES = {"utils", "helpers", "common", "base", "manager"}
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
LONGER_FOR_A_REASON: dict[str, str] = {
    "runner.import_witness": "it runs as one file before code of any revision, and imports nothing of the package",
}
"""Module or `module.function` -> why it is longer than that."""


def name_of(file: Path) -> str:
    """`suite/report/page.py` -> `report.page`; the package itself is `suite`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "suite"


MODULES = {name_of(file): file for file in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in MODULES.items()}
ROOMS = sorted(file.parent.name for file in ROOT.glob("*/__init__.py"))


def room(name: str) -> str:
    """The room that a module is in."""
    return name.split(".")[0]


def room_of_gate(name: str) -> str:
    """The same within the gate."""
    return ".".join(name.split(".")[:2])


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Full names that these nodes import: `suite.units` for `from suite import units`, too."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full.removeprefix("suite.") in MODULES else str(node.module))
    return found


def own(found: set[str]) -> set[str]:
    """Those of imported names that are the project's, without its prefix."""
    return {name.removeprefix("suite.") for name in found if name.split(".")[0] == "suite"}


IMPORTED = {name: own(imports(ast.walk(tree))) - {"suite"} for name, tree in TREES.items()}
"""Module -> modules of the project that it imports, anywhere in its text. The package itself has but the version."""


def on_import(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: no function bodies, nothing for annotations alone."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)


AT_IMPORT = {name: imports(on_import(tree)) for name, tree in TREES.items()}
EAGER = {name for name, found in AT_IMPORT.items() if {one.split(".")[0] for one in found} & {"torch", "torchvision"}}
"""Modules that import torch as soon as they are imported."""


def height(name: str, layers: tuple[set[str], ...]) -> int:
    """How many layers lie below a room's."""
    return next(index for index, layer in enumerate(reversed(layers)) if name in layer)


def against_the_layers() -> set[tuple[str, str]]:
    """(Module, imported module) of every import that leads out of its room, and not to a layer below."""
    found: set[tuple[str, str]] = set()
    for name, imported in IMPORTED.items():
        for one in imported if name != "suite" else ():
            is_within = room(name) == room(one) == "gate" and "gate" not in (name, one)
            of, layers = (room_of_gate, LAYERS_OF_GATE) if is_within else (room, LAYERS)
            if of(name) != of(one) and height(of(name), layers) <= height(of(one), layers):
                found.add((name, one))
    return found


def test_the_root_of_the_package_is_few_files():
    assert len(list(ROOT.glob("*.py"))) <= MOST_FILES_IN_ROOT


def test_every_room_has_its_place_in_the_layers():
    rooms = {room(name) for name in MODULES} - {"suite"}
    assert rooms == set().union(*LAYERS)
    assert {room_of_gate(name) for name in MODULES if room(name) == "gate"} - {"gate"} == set().union(*LAYERS_OF_GATE)


def test_a_room_imports_only_rooms_below_it_and_every_exception_is_one():
    assert against_the_layers() == set(EXCEPTIONS)


def test_every_exception_has_its_reason():
    assert [one for one, reason in EXCEPTIONS.items() if not reason] == []


def test_no_module_imports_itself_through_others():
    graph = {name: imported & MODULES.keys() for name, imported in IMPORTED.items()}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("name", ROOMS)
def test_a_newcomer_finds_every_room_in_the_tree_of_contributing(name):
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.search(rf"^  {name}/ +\w", text, re.MULTILINE), f"CONTRIBUTING.md has no line about {name}/"
    assert ast.get_docstring(TREES[name])


NAMED = re.compile(r"`((?:suite|tests)(?:/\w+)+(?:\.py)?|suite(?:\.\w+)+)[`/]")
DOCUMENT = re.compile(r"\bdocs/[\w/-]+\.(?:md|py)\b")
TEXTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").glob("*.md"), *MODULES.values()]
PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
PROGRAMS = [*sorted(TESTS.rglob("*.py")), *sorted((PROJECT / "docs").rglob("*.py")), *MODULES.values()]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def is_there(name: str) -> bool:
    """Whether a path is one of the project's, or a dotted name that of a module or of something in one."""
    if "/" in name:
        return (PROJECT / name).exists()
    words = name.split(".")[1:]
    for count in range(len(words), 0, -1):
        file = MODULES.get(".".join(words[:count]))
        if file is not None:
            rest = words[count : count + 1]
            return set(rest) <= set(re.findall(r"\w+", file.read_text(encoding="utf-8")))
    return False


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_modules_and_files_that_a_text_names_are_there(file):
    text = file.read_text(encoding="utf-8")
    assert [name for name in NAMED.findall(text) + DOCUMENT.findall(text) if not is_there(name)] == []


IMPORT_IN_TEXT = re.compile(r"from suite((?:\.\w+)*) import (\w+(?: as \w+)?(?:, \w+(?: as \w+)?)*)")


def defined(name: str) -> set[str]:
    """Names that a module defines or imports, and the modules of a package."""
    found = {other.removeprefix(f"{name}.") for other in MODULES if other.startswith(f"{name}.")}
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update(alias.asname or alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_programs_within_texts_import_names_that_are_there(file):
    missing = [
        f"{node.lineno}: suite{module}.{name}"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for module, names in IMPORT_IN_TEXT.findall(node.value)
        for name in (one.split(" as ")[0] for one in names.split(", "))
        if module and (module[1:] not in MODULES or name not in defined(module[1:]))
    ]
    assert missing == []


NAMED_IN = re.compile(r"`(\w+)`(?: and `(\w+)`)? in `(suite/[\w/]+\.py)`")


def test_names_that_contributing_gives_are_in_the_files_that_it_gives():
    found = NAMED_IN.findall((PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    missing = [
        (name, file)
        for *names, file in found
        for name in filter(None, names)
        if not re.search(rf"\b{name}\b", (PROJECT / file).read_text(encoding="utf-8"))
    ]
    assert found
    assert missing == []


def anchors(file: Path) -> set[str]:
    """Ends of links to the headings of a page, as GitHub makes them."""
    headings = HEADING.findall(file.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_links_of_a_page_lead_to_files_and_headings_that_are_there(file):
    found = LINK.findall(file.read_text(encoding="utf-8"))
    links = [(file.parent / path if path else file, end) for path, end in found]
    assert [str(path) for path, _ in links if not path.exists()] == []
    assert [end for path, end in links if end and end not in anchors(path)] == []


def test_tests_stand_in_folders_named_as_the_rooms():
    folders = {file.parent.name for file in TESTS.glob("*/__init__.py")}
    assert folders <= {*ROOMS, "docker", "fakes", "end_to_end"}
    assert {file.stem for file in TESTS.glob("test_*.py")} <= {
        *(f"test_{name}" for name in MODULES if "." not in name),
        "test_architecture",
        "test_prose",
    }


@pytest.mark.parametrize("name", list(MODULES))
def test_a_module_needs_only_the_packages_that_its_row_allows(name):
    packages = {one.split(".")[0] for one in imports(ast.walk(TREES[name]))}
    allowed = MAY_NEED.get(name, set()) | MAY_NEED.get(room_of_gate(name), set()) | MAY_NEED.get(room(name), set())
    assert packages - sys.stdlib_module_names - {"suite"} <= allowed


def test_every_row_is_about_a_room_or_module_that_exists():
    assert [name for name in MAY_NEED if name not in MODULES] == []


def test_only_the_worker_s_room_and_layers_of_networks_import_torch_when_they_are_imported():
    assert {name for name in EAGER if not name.startswith(TORCH_AT_IMPORT)} == set()


def test_nothing_that_runs_outside_a_worker_imports_a_module_that_imports_torch():
    assert {name for name, found in AT_IMPORT.items() if own(found) & EAGER} <= EAGER


def reached(name: str) -> set[str]:
    """Modules that a module imports, directly or not, whenever it does so."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += IMPORTED[one] - {"suite"}
    return seen


@pytest.mark.parametrize(
    "name", [name for name in MODULES if room(name) in READING or room_of_gate(name) in READING_OF_GATE]
)
def test_the_reading_half_never_reaches_the_measuring_half(name):
    assert {room(one) for one in reached(name)} & MEASURING == set()


@pytest.mark.parametrize(
    "name",
    [
        *("analysis.estimates", "cli", "exports.formats", "matrix.cases", "plugin", "records.store", "report"),
        *("report.page", "runner.session"),
    ],
)
def test_a_process_that_does_not_measure_never_holds_torch(name):
    assert not {"torch", "torchvision"} & loaded_with(name)


@pytest.mark.parametrize("name", ["cli", "records.store", "exports.formats", "report"])
def test_a_command_that_reads_starts_without_what_it_may_not_need(name):
    assert not {"numpy", "scipy", "pytest", "jinja2", "altair", "psutil"} & loaded_with(name)


@pytest.mark.parametrize("name", ["cli", "measuring.worker", "zygote"])
def test_workers_and_commands_that_read_no_record_start_without_msgspec(name):
    assert "msgspec" not in loaded_with(name)


def loaded_with(name: str) -> set[str]:
    """Packages that a process holds which has imported a module of ours."""
    code = f"import sys, suite.{name}; print(*sorted({{one.partition('.')[0] for one in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_only_the_plugin_imports_pytest():
    importers = {
        name
        for name, tree in TREES.items()
        if {one.split(".")[0] for one in imports(ast.walk(tree))} & {"pytest", "_pytest"}
    }
    assert importers == {"plugin"}


def test_only_the_command_prints():
    printers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printers <= {"cli"}


def test_no_module_has_a_name_that_says_nothing():
    assert [name for name in MODULES if UNCLEAR_NAMES & set(name.split("."))] == []


def lengths() -> dict[str, int]:
    """Lines of every module, and of every function from its `def` to its end, docstring included."""
    found = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in MODULES.items()}
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[f"{name}.{node.name}()"] = (node.end_lineno or node.lineno) - node.lineno + 1
    return found


def test_no_module_and_no_function_is_long_without_a_reason():
    long = {name for name, lines in lengths().items() if lines > (LONGEST_FUNCTION if "(" in name else LONGEST_MODULE)}
    assert long == set(LONGER_FOR_A_REASON)


def test_only_analysis_decides_which_rounds_are_kept():
    """Others read figures through `analysis.case_figures`; the runner and the gate judge rounds of unfinished runs."""
    inside = {"analysis", "runner", "gate"}
    estimating = {"analysis.intervals", "analysis.drift", "analysis.run_validity"}
    assert {name for name, found in IMPORTED.items() if found & estimating and room(name) not in inside} == set()
    choosing = {
        name for name, file in MODULES.items() if re.search(r"\bkept_rounds\b|\bby_turn\b", file.read_text("utf-8"))
    }
    assert {room(name) for name in choosing} <= {*inside, "records"}
