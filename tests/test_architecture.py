"""The architecture as a table: which module may import which. The table is the document; the tests walk the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import suite

ROOT = Path(suite.__file__).parent

MAY_IMPORT: dict[str, set[str]] = {
    # values and what judges them: the reading half
    "suite": set(),
    "records": set(),
    "optional": set(),
    "factors": {"records"},
    "options": {"allocators", "priority", "records"},
    "replay_clock": set(),
    "other_plugins": set(),
    "units": set(),
    "plain": set(),
    "private": set(),
    "reasons": set(),
    "users": set(),
    "stats": {"records"},
    "protocol": {"records"},
    "typed": set(),
    "rules": {"records", "typed", "units"},
    "schema": {"protocol", "records", "rules", "typed"},
    "locks": set(),
    "disk": {"records"},
    "store": {"suite", "disk", "locks", "records", "schema", "typed"},
    "curves": {"records"},
    "drift": {"records", "stats"},
    "pooling": set(),
    "intervals": {"pooling", "records", "stats"},
    "allocators": {"optional"},
    "variables": set(),
    "in_effect": {"priority"},
    "fingerprint": set(),
    "git": {"lifeline", "records"},
    "code_identity": {"git"},
    "comparison": set(),
    "limits": {"records"},
    "footprint": {"records"},
    "comparison.memory": {"footprint", "limits", "records"},
    "comparison.judge": {"comparison.memory", "drift", "intervals", "limits", "records", "stats", "validity"},
    "comparison.text": {"suite", "comparison.judge", "fingerprint", "footprint", "limits", "records", "units"},
    "validity": {"suite", "allocators", "records", "stats", "units"},
    "verdicts": {"drift", "records", "validity"},
    "exports": {"curves", "intervals", "records", "stats", "validity", "verdicts"},
    "report": {"suite", "disk", "private", "records", "report.page", "store"},
    "report.*": {
        *("suite", "curves", "in_effect", "intervals", "options", "records", "stats", "units", "users", "validity"),
        "verdicts",
        "report.*",
    },
    # levels of the factors; they never import each other
    "registry": {
        "plain",
        "reasons",
        "records",
        "executions.cpu",
        "inputs.synthetic",
        "tunings.eager",
    },  # the latter for annotations alone
    "layers": set(),
    "optimizers": {"registry"},
    "schedules": {"registry"},
    "learning": {"records", "registry"},
    "muon": set(),
    "tunings": set(),
    "tunings.*": {  # each derives from the eager step
        *("suite", "cores", "probes", "records", "registry", "threads", "tunings.eager"),
    },
    "placement": set(),
    "accelerators": {"optional"},
    "structures": set(),
    "structures.*": {"registry", "records", "layers"},
    "executions": set(),
    "lifeline": set(),
    "guard": set(),
    "peers": {"lifeline", "reasons"},
    "torchrun": {"records"},
    "gradients": set(),
    "loopback": set(),
    "executions.cpu": {"registry", "records", "clock", "peers", "torchrun"},
    "executions.cuda": {"registry", "records", "clock", "accelerators", "executions.cpu"},
    "executions.distributed": {
        *(
            "accelerators",
            "clock",
            "cores",
            "executions.cpu",
            "forking",
            "gradients",
            "loopback",
            "peers",
            "records",
            "registry",
            "torchrun",
        ),
    },
    "executions.*": {"registry", "records", "accelerators", "executions.cuda"},  # one process, several devices
    "inputs": set(),
    "inputs.synthetic": {"placement", "registry", "records"},
    "inputs.loader": {"cores", "inputs.synthetic", "lifeline", "optional", "placement", "registry", "records"},
    "inputs.augment": {"inputs.loader", "registry"},
    # the process that measures
    "clock": set(),
    "probes": {"optional", "records"},
    "recorder": {"clock", "probes", "records"},
    "snapshot": {"tunings.eager"},
    "step": {"clock", "cores", "executions.cpu", "placement", "probes", "records", "registry"},
    "training": {"executions.cpu", "learning", "probes", "records", "registry", "snapshot", "step"},
    "surveys": {"records"},
    "cgroups": {"optional"},
    "nvml": {"optional"},
    "processes": {"optional"},
    "sampler": {"suite", "lifeline", "nvml", "optional", "processes"},
    "surveys.resident": set(),
    "surveys.allocator": {
        *("suite", "lifeline", "recorder", "records", "surveys", "surveys.resident", "torchrun", "training"),
    },
    "surveys.utilization": {"cgroups", "cores", "records", "registry", "sampler", "step", "training"},
    "surveys.flops": set(),
    "surveys.requests": {"records", "step", "training"},
    "surveys.memory": {
        *("cgroups", "records", "registry", "step", "surveys", "surveys.requests", "surveys.resident", "training"),
    },
    "surveys.anatomy": {"cores", "records", "registry", "step", "training"},
    "surveys.work": {"records", "registry", "step", "surveys.flops", "training"},
    "cores": {"optional"},
    "threads": {"suite", "cgroups", "cores", "optional", "torchrun"},
    "forking": {"cores"},
    "together": {"cores"},
    "priority": {"optional"},
    "worker": {
        *("cores", "peers", "protocol", "recorder", "records", "registry", "step", "surveys", "together", "torchrun"),
        *("plain", "reasons", "training"),
    },
    "zygote": {
        *("allocators", "forking", "layers", "lifeline", "priority", "protocol", "records", "registry", "surveys.*"),
        "worker",
    },
    # the process that judges, prints and writes
    "designs": {"factors", "records"},
    "matrix": {"designs", "factors", "learning", "options", "records", "registry"},
    "environment": {
        *("suite", "code_identity", "allocators", "cgroups", "optional", "records", "threads", "torchrun", "variables"),
    },
    "settings": {"matrix", "options", "records", "store"},
    "witness": set(),
    "watch": {"records"},
    "scratch": {"suite", "locks"},
    "forked": {"suite", "protocol", "records", "scratch"},
    "launcher": {"suite", "allocators", "forked", "protocol", "records", "scratch", "threads", "users", "watch"},
    "stay": {"forked", "records", "stats"},
    "lesson": {"records", "stay"},
    "disturbance": {"suite", "cgroups", "cores", "optional", "processes", "records", "torchrun"},
    "scheduler": {"suite", "disturbance", "forked", "lesson", "records", "stay", "surveys"},
    "progress": {"records", "scheduler", "units"},
    "signals": set(),
    "liverun": {
        "suite",
        "disk",
        "environment",
        "fingerprint",
        "launcher",
        "matrix",
        "optional",
        "records",
        "scheduler",
        "settings",
        "store",
    },
    "plugin": {
        "disk",
        "environment",
        "in_effect",
        "liverun",
        "matrix",
        "options",
        "other_plugins",
        "progress",
        "reasons",
        "records",
        "replay_clock",
        "report",
        "settings",
        "signals",
        "stats",
        "store",
        "torchrun",
        "validity",
        "verdicts",
    },
    "pytest_line": {"matrix", "options"},
    "followers": {"environment", "forked", "launcher", "options", "settings", "torchrun"},
    "doctor": {"doctor.findings", "doctor.fixed", "doctor.gpus", "doctor.moment", "doctor.trials", "optional"},
    "doctor.findings": set(),
    "doctor.fixed": {"suite", "cgroups", "cores", "doctor.findings", "optional", "priority", "threads", "units"},
    "doctor.gpus": {"suite", "doctor.findings", "nvml", "optional"},
    "doctor.moment": {"suite", "cores", "disturbance", "doctor.findings"},
    "doctor.trials": {
        *("suite", "allocators", "doctor.findings", "drift", "forked", "launcher", "records"),
        *("scheduler", "stats", "threads", "units"),
    },
    # the gate: statistics and verdicts know nothing of processes; what starts them is the second half
    "gate": set(),
    "gate.statistics": set(),
    "gate.statistics.*": set(),
    "gate.records": {"records"},
    "gate.verdict": {"limits"},
    "gate.control": {"gate.explain", "gate.statistics.moderation", "gate.statistics.sign_flips"},
    "gate.explain": {"factors", "gate.records"},
    "gate.procedure": {"gate.explain", "gate.statistics", "gate.statistics.*", "gate.verdict", "limits"},
    "gate.turns": {"suite", "locks"},
    "gate.ratio": {"gate.records", "records", "stats"},
    "gate.ledger": {"disk", "gate.records", "limits", "protocol", "records", "rules", "store", "typed"},
    "gate.replay": {
        "gate",
        "gate.control",
        "gate.explain",
        "gate.ledger",
        "gate.procedure",
        "gate.ratio",
        "gate.records",
    },
    "gate.readings": {"footprint", "gate.records"},
    "gate.judge": {
        *("gate", "gate.circumstances", "gate.control", "gate.explain", "gate.forecast", "gate.ledger"),
        *("gate.memory_verdicts", "gate.procedure", "gate.records", "gate.replay", "gate.sizes", "gate.statistics"),
        *("gate.statistics.multiplicity", "gate.statistics.order", "gate.statistics.spending", "gate.verdict"),
        *("limits", "records"),
    },
    "gate.memory_verdicts": {
        *("footprint", "gate", "gate.ledger", "gate.readings", "gate.records", "gate.verdict", "limits"),
    },
    "gate.circumstances": {"gate.ledger", "gate.replay", "limits"},
    "gate.files": {"disk", "gate.formats", "gate.verdict", "reasons", "records"},
    "gate.sizes": {"gate.ledger", "gate.procedure", "gate.records", "gate.replay", "gate.verdict"},
    "gate.forecast": {"gate.ledger", "gate.records", "gate.statistics", "gate.statistics.spending", "limits"},
    "gate.formats": {"gate.formats.*", "gate.verdict"},
    "gate.formats.*": {"gate.formats.*", "gate.verdict", "limits", "units"},
    "gate.arms": set(),
    "gate.arms.provenance": {"gate.arms.checkouts", "git", "witness"},
    "gate.arms.checkouts": {"suite", "code_identity", "disk", "git", "locks", "records"},
    "gate.arms.interpreters": {"suite", "gate.arms.checkouts", "git", "lifeline", "records", "witness"},
    "gate.arms.side": {
        *("suite", "code_identity", "factors", "fingerprint", "gate.arms", "gate.arms.*", "gate.records", "launcher"),
        *("matrix", "records"),
    },
    "gate.pair": {"forked", "gate.records", "records", "stats", "stay", "together"},
    "gate.blocks": {
        *("cores", "disturbance", "forked", "gate.arms.side", "gate.pair", "gate.records", "launcher", "records"),
        "registry",
    },
    "gate.memory": {"footprint", "forked", "gate.blocks", "gate.pair", "gate.records"},
    "gate.live": {
        *("suite", "environment", "gate", "gate.blocks", "gate.control", "gate.judge", "gate.ledger", "gate.memory"),
        *("gate.explain", "gate.forecast", "gate.readings", "gate.sizes"),
        *("gate.records", "gate.replay", "gate.statistics", "gate.statistics.spending", "gate.verdict"),
    },
    "gate.settings": {
        "options",
        *("suite", "disk", "environment", "fingerprint", "footprint", "gate.arms", "gate.arms.side", "gate.blocks"),
        *("gate", "gate.explain", "gate.forecast"),
        *("gate.ledger", "gate.records", "limits", "matrix", "records", "settings"),
    },
    "command_line": {"suite"},
    "output": set(),
    "become": {"records", "suite", "torchrun"},
    "cli": {
        "factors",
        "options",
        *("disk", "output", "signals"),
        *("command_line", "comparison.*", "designs", "doctor", "exports", "followers", "gate", "gate.files"),
        *(
            "gate.live",
            "gate.settings",
            "gate.turns",
            "limits",
            "matrix",
            "private",
            "pytest_line",
            "reasons",
            "records",
            "report",
            "store",
            "torchrun",
        ),
    },
}
"""Module or pattern -> modules of the project that it may import, anywhere in its text. An exact row goes first."""

MAY_NEED: dict[str, set[str]] = {
    "registry": {"torch"},
    "layers": {"torch"},
    "muon": {"torch"},
    "tunings.*": {"torch"},
    "placement": {"torch"},
    "schedules": {"torch"},
    "learning": {"torch", "sklearn"},
    "accelerators": {"pynvml"},
    "torchrun": {"torch"},
    "gradients": {"torch"},
    "snapshot": {"torch"},
    "structures.*": {"torch", "torchvision"},
    "executions.*": {"torch"},
    "inputs.*": {"torch", "torchvision"},
    "step": {"torch"},
    "training": {"torch"},
    "surveys.*": {"torch"},
    "worker": {"torch"},
    "zygote": {"torch", "torchvision"},
    "designs": {"covertable"},
    "environment": {"psutil"},
    "threads": {"psutil"},
    "sampler": {"psutil"},
    "nvml": {"pynvml"},
    "doctor.fixed": {"psutil"},
    "disturbance": {"psutil"},
    "gate.statistics.moderation": {"numpy", "scipy"},
    "gate.statistics.order": {"numpy"},
    "gate.statistics.sign_flips": {"numpy"},
    "gate.statistics.trimming": {"numpy"},
    "gate.procedure": {"numpy", "scipy"},
    "gate.control": {"numpy", "scipy"},
    "gate.ratio": {"numpy"},
    "gate.circumstances": {"numpy"},
    "gate.replay": {"numpy"},
    "gate.forecast": {"scipy"},
    "gate.sizes": {"numpy"},
    "doctor.gpus": {"pynvml"},
    "plugin": {"pytest"},
    "exports": {"pytest_benchmark"},
    "report.page": {"jinja2", "markupsafe"},
    "gate.formats.page": {"jinja2", "markupsafe"},
    "report.chart": {"altair", "vl_convert"},
}
"""Module or pattern -> packages of others that it may import, anywhere in its text; all else: the standard library."""

TORCH_ON_IMPORT = {
    *("layers", "muon", "snapshot", "step", "training", "worker"),
    *("surveys.anatomy", "surveys.flops", "surveys.memory", "surveys.requests", "surveys.work"),
}
"""Modules that import torch as soon as they are imported. Only the zygote and its forks import these."""

MEASURING = {
    *("training", "worker", "recorder", "probes", "clock", "layers", "zygote", "forked", "launcher", "stay"),
    *("scheduler", "together"),
}
READING = {
    "records",
    "footprint",
    "units",
    "stats",
    "drift",
    "validity",
    "comparison",
    "schema",
    "store",
    "exports",
    "report",
}
READING_OF_GATE = {"gate.judge", "gate.replay", "gate.ledger", "gate.procedure", "gate.formats"}

UNCLEAR_NAMES = {"utils", "helpers", "common", "base", "manager"}
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
LONGER_FOR_A_REASON: dict[str, str] = {}
"""Module or `module.function` -> why it is longer than that."""


def name_of(file: Path) -> str:
    """`suite/report/page.py` -> `report.page`; the package itself is `suite`."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "suite"


MODULES = {name_of(file): file for file in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in MODULES.items()}


def row(table: dict[str, set[str]], name: str) -> set[str] | None:
    """The row for a module: its own, or that of the first pattern that fits."""
    return table.get(name, next((table[pattern] for pattern in table if fnmatchcase(name, pattern)), None))


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Full names that these nodes import: `suite.stats` for `from suite import stats`, too."""
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
    """Of imported names, those of the project, without its prefix."""
    return {name.removeprefix("suite.") for name in found if name.split(".")[0] == "suite"}


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


@pytest.mark.parametrize("name", list(MODULES))
def test_a_module_imports_only_what_its_row_allows(name):
    allowed = row(MAY_IMPORT, name)
    assert allowed is not None, f"suite.{name} has no row in MAY_IMPORT: say what it may import"
    found = own(imports(ast.walk(TREES[name])))
    assert {one for one in found if not any(fnmatchcase(one, entry) for entry in allowed)} == set()


@pytest.mark.parametrize("name", list(MODULES))
def test_a_module_needs_only_the_packages_that_its_row_allows(name):
    packages = {one.split(".")[0] for one in imports(ast.walk(TREES[name]))}
    assert packages - sys.stdlib_module_names - {"suite"} <= (row(MAY_NEED, name) or set())


@pytest.mark.parametrize("table", [MAY_IMPORT, MAY_NEED], ids=["MAY_IMPORT", "MAY_NEED"])
def test_every_row_is_about_a_module_that_exists(table):
    assert [pattern for pattern in table if not any(fnmatchcase(name, pattern) for name in MODULES)] == []


def test_torch_is_imported_by_importing_a_module_only_where_that_is_meant():
    eager = {name for name, tree in TREES.items() if any(is_torch(one) for one in imports(on_import(tree)))}
    assert eager == TORCH_ON_IMPORT


def is_torch(name: str) -> bool:
    return name.split(".")[0] in ("torch", "torchvision")


def test_nothing_that_runs_outside_a_worker_imports_a_module_that_imports_torch():
    importers = {name for name, tree in TREES.items() if own(imports(on_import(tree))) & TORCH_ON_IMPORT}
    assert importers <= TORCH_ON_IMPORT


def reached(name: str) -> set[str]:
    """Modules that a module imports, directly or not, whenever it does so; the registry's annotations aside."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += own(imports(ast.walk(TREES[one])))
    return seen


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] in READING or name in READING_OF_GATE])
def test_the_reading_half_never_reaches_the_measuring_half(name):
    assert reached(name) & MEASURING == set()


@pytest.mark.parametrize(
    "name", ["store", "exports", "stats", "report", "report.page", "cli", "plugin", "matrix", "liverun"]
)
def test_a_process_that_does_not_measure_never_holds_torch(name):
    code = f"import sys, suite.{name}; print(*sorted({{one.partition('.')[0] for one in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "torchvision"} & set(done.stdout.split())


@pytest.mark.parametrize("name", ["cli", "store", "exports", "report"])
def test_a_command_that_reads_starts_without_what_it_may_not_need(name):
    code = f"import sys, suite.{name}; print(*sorted({{one.partition('.')[0] for one in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "pytest", "jinja2", "altair", "psutil"} & set(done.stdout.split())


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
