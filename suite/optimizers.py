"""Optimizer settings, one entry each. The implementation is pinned: torch's default differs between devices."""

from __future__ import annotations

from suite.registry import OPTIMIZERS, OptimizerSpec

FORLOOP = {"foreach": False, "fused": False}
"""One kernel after the other for each parameter: the implementation that every device and release has."""

OPTIMIZERS.add(
    OptimizerSpec(
        "sgd",
        "torch.optim.SGD",
        {"lr": 0.01, **FORLOOP},
        source="Robbins and Monro 1951, A stochastic approximation method.",
    )
)
OPTIMIZERS.add(
    OptimizerSpec(
        "sgd_momentum",
        "torch.optim.SGD",
        {"lr": 0.01, "momentum": 0.9, **FORLOOP},
        source="Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.",
    )
)
OPTIMIZERS.add(
    OptimizerSpec(
        "adam",
        "torch.optim.Adam",
        {"lr": 0.001, **FORLOOP},
        source="Kingma and Ba 2015, Adam: a method for stochastic optimization, algorithm 1.",
    )
)
OPTIMIZERS.add(
    OptimizerSpec(
        "adamw",
        "torch.optim.AdamW",
        {"lr": 0.001, "weight_decay": 0.01, **FORLOOP},
        source="Loshchilov and Hutter 2019, Decoupled weight decay regularization, algorithm 2.",
    )
)
OPTIMIZERS.add(
    OptimizerSpec(
        "rmsprop",
        "torch.optim.RMSprop",
        {"lr": 0.001, "alpha": 0.99, "foreach": False},
        source="Tieleman and Hinton 2012, Lecture 6.5: rmsprop, Neural networks for machine learning.",
    )
)
