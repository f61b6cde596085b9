"""The base classes of levels: what each level derives from, and what plug-ins may still derive from."""

from __future__ import annotations

import pytest

from suite.contracts.execution import Execution
from suite.contracts.input_pipeline import InputPipeline
from suite.contracts.tuning import Tuning
from suite.levels.executions.cpu import Cpu
from suite.levels.executions.cuda import Cuda
from suite.levels.inputs.loader import Loader
from suite.levels.inputs.synthetic import Synthetic
from suite.levels.tunings.eager import Eager
from suite.measuring.modes import make_step
from suite.records import Case
from suite.registry import EXECUTIONS, INPUTS, TUNINGS, ExecutionSpec, InputSpec, TuningSpec, load_levels

load_levels()


def test_every_level_derives_from_the_base_class_of_its_factor():
    assert all(issubclass(EXECUTIONS[name].strategy, Execution) for name in EXECUTIONS)
    assert all(issubclass(TUNINGS[name].strategy, Tuning) for name in TUNINGS)
    assert all(issubclass(INPUTS[name].pipeline, InputPipeline) for name in INPUTS)


def test_a_device_is_no_cpu_and_a_loader_is_not_synthetic():
    assert not issubclass(Cuda, Cpu)
    assert not issubclass(Loader, Synthetic)


def test_an_input_without_batches_does_not_pretend_to_have_some():
    with pytest.raises(NotImplementedError):
        InputPipeline().batches(Case("seed_cnn", "sgd", "cpu"), None)


class PluginExecution(Cpu):
    """A plug-in's execution, from before the base classes moved. Source: none."""

    @staticmethod
    def refusal(case: Case) -> str:
        return "" if case.seed == 0 else "only seed 0"


class PluginTuning(Eager):
    """A plug-in's tuning. Source: none."""


class PluginInput(Synthetic):
    """A plug-in's input. Source: none."""

    @staticmethod
    def refusal(case: Case, device: str) -> str:
        return "" if case.seed == 0 and device == "cpu" else "only seed 0 on the host"


@pytest.fixture
def _plugin_levels(monkeypatch: pytest.MonkeyPatch):
    for registry in (EXECUTIONS, TUNINGS, INPUTS):
        monkeypatch.setattr(registry, "_levels", dict(registry._levels))
    EXECUTIONS.add(ExecutionSpec("mine_cpu", PluginExecution))
    TUNINGS.add(TuningSpec("mine_eager", PluginTuning))
    INPUTS.add(InputSpec("mine_synthetic", PluginInput))


@pytest.mark.usefixtures("_plugin_levels")
def test_a_plug_in_that_derives_from_the_levels_themselves_still_runs():
    from suite.matrix.refusals import refusal

    case = Case("seed_cnn", "sgd", "mine_cpu", "mine_eager", "mine_synthetic", batch_size=2)
    assert refusal(case) == ""
    with make_step(case) as step:
        step()
        step.check()
