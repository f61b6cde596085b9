"""The cases are measured where an argument asks for them; a session that comes by on its way leaves them out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    """End a session that asks for the cases, but was kept from loading the plug-in that they need."""
    asked = any(Path(argument.partition("::")[0]).resolve().is_relative_to(HERE) for argument in config.args)
    if asked and not is_loaded(config):
        pytest.exit("the cases need stepmark's pytest plug-in, which is not loaded; add -p suite.plugin.", 2)


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave the cases out where the plug-in is not loaded."""
    return None if is_loaded(config) else True


def is_loaded(config: pytest.Config) -> bool:
    """Whether this session has Stepmark's plug-in, under whatever name."""
    plugin = sys.modules.get("suite.plugin")
    return plugin is not None and config.pluginmanager.is_registered(plugin)
