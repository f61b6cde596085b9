"""Optimizer settings, one entry each, with a pinned implementation.

The implementation is pinned because torch's default differs between devices. A family's plain name is its `forloop`
implementation: one kernel after the other for each parameter, which every device and release has. `_foreach` (the same
operation on all parameters at once) and `_fused` (the whole update in one kernel) are separate levels, as are learning
rates (`_lr0p1` is 0.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from suite.contracts.entries import lacks_nothing
from suite.machine.readings import optional_or
from suite.registry import OPTIMIZERS, OptimizerSpec

Settings = dict[str, Any]
FORLOOP, FOREACH, FUSED = "forloop", "foreach", "fused"


@cache
@optional_or(bool)
def adagrad_refuses_cuda() -> bool:
    """Whether the installed torch's Adagrad refuses its fused step on CUDA.

    Its source says so: torch 2.11 does, 2.14 does not. The kernel was added and reverted in between.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    return "cuda_unsupported=True" in Path(spec.origin).with_name("optim").joinpath("adagrad.py").read_text("utf-8")


def lacks_fused_adagrad(device: str) -> str:
    """No fused step of Adagrad on CUDA devices in an older torch."""
    if device != "cuda" or not adagrad_refuses_cuda():
        return ""
    return f"Adagrad of torch {version('torch')} has no fused step for CUDA devices; install a later torch"


@dataclass(frozen=True, slots=True)
class Family:
    """A class of `torch.optim`, and the implementations of its step on CPU and CUDA.

    Attributes:
        lacks_fused: kind of device -> reason why the installed torch lacks the fused step there; empty if it has it.
    """

    factory: str
    source: str
    implementations: tuple[str, ...] = (FORLOOP, FOREACH)
    lacks_fused: Callable[[str], str] = lacks_nothing

    def pin(self, implementation: str) -> Settings:
        """Keyword arguments that choose an implementation, and no other."""
        return {name: name == implementation for name in (FOREACH, FUSED) if name in self.implementations}


ALL = (FORLOOP, FOREACH, FUSED)
SGD = Family("torch.optim.SGD", "Robbins and Monro 1951, A stochastic approximation method.", ALL)
MOMENTUM = Family(
    "torch.optim.SGD",
    "Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.",
    ALL,
)
ADAM = Family("torch.optim.Adam", "Kingma and Ba 2015, Adam: a method for stochastic optimization, algorithm 1.", ALL)
AMSGRAD = Family(
    "torch.optim.Adam", "Reddi et al. 2018, On the convergence of Adam and beyond, algorithm 2 (AMSGrad).", ALL
)
ADAMW = Family(
    "torch.optim.AdamW", "Loshchilov and Hutter 2019, Decoupled weight decay regularization, algorithm 2.", ALL
)
NADAM = Family("torch.optim.NAdam", "Dozat 2016, Incorporating Nesterov momentum into Adam.")
RADAM = Family("torch.optim.RAdam", "Liu et al. 2020, On the variance of the adaptive learning rate and beyond.")
ADAMAX = Family("torch.optim.Adamax", "Kingma and Ba 2015, Adam: a method for stochastic optimization, algorithm 2.")
RMSPROP = Family(
    "torch.optim.RMSprop", "Tieleman and Hinton 2012, Lecture 6.5: rmsprop, Neural networks for machine learning."
)
CENTERED = Family(
    "torch.optim.RMSprop", "Graves 2013, Generating sequences with recurrent neural networks, section 4.2."
)
ADAGRAD = Family(
    "torch.optim.Adagrad",
    "Duchi et al. 2011, Adaptive subgradient methods for online learning and stochastic optimization.",
    ALL,
    lacks_fused_adagrad,
)
ADADELTA = Family("torch.optim.Adadelta", "Zeiler 2012, ADADELTA: an adaptive learning rate method.")
ASGD = Family("torch.optim.ASGD", "Polyak and Juditsky 1992, Acceleration of stochastic approximation by averaging.")
RPROP = Family(
    "torch.optim.Rprop",
    "Riedmiller and Braun 1993, A direct adaptive method for faster backpropagation learning: the RPROP algorithm.",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A family with its keyword arguments, and further learning rates that are levels."""

    name: str
    family: Family
    settings: Settings
    rates: dict[str, float] = field(default_factory=dict)


SETTINGS = (
    Setting("sgd", SGD, {"lr": 0.01}),
    Setting("sgd_momentum", MOMENTUM, {"lr": 0.01, "momentum": 0.9}, {"lr0p1": 0.1, "lr0p001": 0.001}),
    Setting("sgd_nesterov", MOMENTUM, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    Setting("sgd_weight_decay", MOMENTUM, {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}),
    Setting("adam", ADAM, {"lr": 0.001}, {"lr0p1": 0.1, "lr0p01": 0.01}),
    Setting("adam_amsgrad", AMSGRAD, {"lr": 0.001, "amsgrad": True}),
    Setting("adamw", ADAMW, {"lr": 0.001, "weight_decay": 0.01}),
    Setting("nadam", NADAM, {"lr": 0.002}),
    Setting("radam", RADAM, {"lr": 0.001}),
    Setting("adamax", ADAMAX, {"lr": 0.002}),
    Setting("rmsprop", RMSPROP, {"lr": 0.001, "alpha": 0.99}),
    Setting("rmsprop_centered", CENTERED, {"lr": 0.001, "alpha": 0.99, "centered": True}),
    Setting("rmsprop_momentum", RMSPROP, {"lr": 0.001, "alpha": 0.99, "momentum": 0.9}),
    Setting("adagrad", ADAGRAD, {"lr": 0.01}),
    Setting("adadelta", ADADELTA, {"lr": 1.0}),
    Setting("asgd", ASGD, {"lr": 0.01}),
    Setting("rprop", RPROP, {"lr": 0.001}),
)


def entries_of(setting: Setting) -> list[OptimizerSpec]:
    """Entries of a setting: the plain one, implementations, learning rates."""
    family, settings = setting.family, setting.settings
    plain = {**settings, **family.pin(FORLOOP)}
    variants = {setting.name: plain}
    for implementation in family.implementations[1:]:
        variants[f"{setting.name}_{implementation}"] = {**settings, **family.pin(implementation)}
    for word, rate in setting.rates.items():
        variants[f"{setting.name}_{word}"] = {**plain, "lr": rate}
    return [
        OptimizerSpec(
            name,
            family.factory,
            kwargs,
            family.source,
            lacks_kernel=family.lacks_fused if kwargs.get(FUSED) else lacks_nothing,
        )
        for name, kwargs in variants.items()
    ]


for _setting in SETTINGS:
    for _spec in entries_of(_setting):
        OPTIMIZERS.add(_spec)

OPTIMIZERS.add(
    OptimizerSpec(
        "gradient_descent",
        "torch.optim.SGD",
        {"lr": 0.1, **SGD.pin(FORLOOP)},
        source="Cauchy 1847, Méthode générale pour la résolution des systèmes d'équations simultanées.",
        full_batch=True,
    )
)
OPTIMIZERS.add(
    OptimizerSpec(
        "lbfgs",
        "torch.optim.LBFGS",
        {"lr": 0.1, "max_iter": 4, "history_size": 10},
        source="Nocedal 1980, Updating quasi-Newton matrices with limited storage.",
        closure=True,
        flattens=True,
    )
)
OPTIMIZERS.add(
    OptimizerSpec(
        "muon",
        "suite.levels.muon.MuonWithAdamW",
        {"lr": 0.02, "momentum": 0.95, "adamw_lr": 0.001},
        source="Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks.",
    )
)
