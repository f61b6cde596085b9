"""Registries: a level is found by its name, and a wrong name is answered with the right ones."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from suite import registry
from suite.records import StepmarkError
from suite.records.factors import FACTORS
from suite.registry import SHOWN_NAMES, OptimizerSpec, Registry, StructureRegistry

PROJECT = Path(registry.__file__).parents[1]


def level(name: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, attributes={})


def filled(*names: str) -> Registry:
    levels = Registry("optimizer")
    for name in names:
        levels.add(level(name))
    return levels


def test_levels_are_kept_in_the_order_in_which_they_were_added():
    levels = filled("b", "a", "c")
    assert list(levels) == ["b", "a", "c"]
    assert len(levels) == 3
    assert levels["a"].name == "a"


def test_a_name_is_given_once():
    with pytest.raises(StepmarkError, match=r"^optimizer 'a' is registered already; choose another name\.$"):
        filled("a", "a")


@pytest.mark.parametrize("name", ["", "Adam", "sgd-momentum", "a b", "adam\n", "größe", "residual_*"])
def test_a_name_that_could_not_stand_in_an_id_is_refused(name):
    with pytest.raises(StepmarkError, match=r"a level's name is made of a-z, 0-9 and _ only\.$") as refused:
        filled(name)
    assert repr(name) in str(refused.value)


def test_an_unknown_name_is_answered_with_the_name_found_and_those_allowed():
    with pytest.raises(StepmarkError, match=r"^optimizer 'adan' is not known; allowed: adam, sgd\.$"):
        filled("sgd", "adam")["adan"]


def test_an_unknown_name_in_an_empty_registry_is_answered_too():
    with pytest.raises(StepmarkError, match=r"^optimizer 'sgd' is not known; allowed: none is registered\.$"):
        filled()["sgd"]


def test_a_long_list_of_allowed_names_is_cut():
    names = [f"level{index}" for index in range(SHOWN_NAMES + 3)]
    with pytest.raises(StepmarkError) as unknown:
        filled(*names)["nothing"]
    assert str(unknown.value).endswith(f"level{SHOWN_NAMES - 1} and 3 more.")


def test_patterns_are_matched_in_their_order_and_each_level_once():
    levels = filled("plain_a", "residual_b", "residual_a", "seed")
    assert levels.matching(["seed", "residual_*", "*_a"]) == ["seed", "residual_b", "residual_a", "plain_a"]
    assert levels.matching(["residual_[ab]", "residual_b"]) == ["residual_b", "residual_a"]
    assert levels.matching([]) == []


def test_a_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(StepmarkError, match=r"^optimizer 'lion_\*' is not known; allowed: sgd, adam\.$"):
        filled("sgd", "adam").matching(["sgd", "lion_*"])


def test_a_structure_is_registered_with_its_attributes_and_its_source():
    structures = StructureRegistry("structure")

    @structures.register("mine", depth=3, min_image_size=8)
    def mine(num_classes, image_size):
        """A network.

        Source: this test.
        """

    assert structures["mine"].build is mine
    assert structures["mine"].attributes == {"depth": 3}
    assert structures["mine"].min_image_size == 8
    assert "Source: this test." in structures["mine"].source


@pytest.mark.parametrize(
    ("kwargs", "implementation"),
    [
        ({}, "default"),
        ({"foreach": False}, "forloop"),
        ({"foreach": False, "fused": False}, "forloop"),
        ({"foreach": True}, "foreach"),
        ({"fused": True, "foreach": False}, "fused"),
    ],
)
def test_an_optimizer_says_its_family_and_its_implementation(kwargs, implementation):
    spec = OptimizerSpec("mine", "torch.optim.AdamW", {"lr": 0.1, **kwargs})
    assert spec.attributes == {"family": "adamw", "implementation": implementation, "lr": 0.1}


def test_an_optimizer_may_be_given_as_a_class_or_by_its_dotted_path():
    assert OptimizerSpec("mine", Counted).attributes["family"] == "counted"
    built = [OptimizerSpec("mine", factory, {"lr": 2.0}).build(iter([1, 2])) for factory in (Counted, PATH)]
    assert [(one.parameters, one.lr) for one in built] == [([1, 2], 2.0)] * 2


class Counted:
    """Stands for an optimizer, without torch."""

    def __init__(self, parameters, lr=None):
        self.parameters = list(parameters)
        self.lr = lr


PATH = f"{__name__}.Counted"


def loaded(folder: Path, *plugins: str) -> dict:
    """Output of `load_levels` with plug-ins of `folder`, in a separate process."""
    code = (
        "import json, sys\n"
        f"sys.path[:0] = [{str(folder)!r}, {str(PROJECT)!r}]\n"
        "from suite.records import StepmarkError\n"
        "from suite.registry import OPTIMIZERS, load_levels\n"
        "error = ''\n"
        "try:\n"
        f"    load_levels({plugins!r}); load_levels({plugins!r})\n"
        "except StepmarkError as caught:\n"
        "    error = str(caught)\n"
        "print(json.dumps({'error': error, 'optimizers': list(OPTIMIZERS), 'torch': 'torch' in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_plug_in_adds_levels_to_those_of_the_project(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from suite.registry import OPTIMIZERS, OptimizerSpec\n"
        "OPTIMIZERS.add(OptimizerSpec('mine_sgd', 'torch.optim.SGD', {'lr': 0.1}, source='a test'))\n"
    )
    found = loaded(tmp_path, "mine")
    assert found["error"] == ""
    assert {"mine_sgd", "sgd", "adam"} <= set(found["optimizers"])
    assert not found["torch"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", "plug-in 'broken' does not import: ZeroDivisionError: division by zero"),
        ("def", "plug-in 'broken' does not import: SyntaxError: "),
        ("import no_such_module", "plug-in 'broken' does not import: ModuleNotFoundError: No module named"),
        (
            "from suite.registry import OPTIMIZERS, OptimizerSpec\nOPTIMIZERS.add(OptimizerSpec('sgd', 'a.b'))",
            "optimizer 'sgd' is registered already; choose another name.",
        ),
    ],
)
def test_a_plug_in_that_raises_is_answered_with_its_own_error(tmp_path, source, error):
    (tmp_path / "broken.py").write_text(source)
    assert loaded(tmp_path, "broken")["error"].startswith(error)


def test_a_plug_in_that_is_missing_is_named(tmp_path):
    assert loaded(tmp_path, "not_there")["error"] == (
        "plug-in 'not_there' does not import: ModuleNotFoundError: No module named 'not_there'."
    )


ORDER = """
import json
from suite.registry import REGISTRIES, load_levels
load_levels()
print(json.dumps({factor: next(iter(registry)) for factor, registry in REGISTRIES.items()}))
"""


def test_the_default_level_of_a_factor_comes_first_since_the_order_of_levels_is_that_of_cases():
    first = json.loads(subprocess.run([sys.executable, "-c", ORDER], capture_output=True, check=True).stdout)
    defaults = {
        factor.name: factor.default for factor in FACTORS if factor.name in registry.REGISTRIES and factor.default
    }
    assert defaults.items() <= first.items()
