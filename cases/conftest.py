"""The cases need Stepmark's plug-in; a session without it leaves them out or ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    """End a session that names the cases but has not loaded their plug-in."""
    names_cases = any(Path(argument.partition("::")[0]).resolve().is_relative_to(HERE) for argument in config.args)
    if names_cases and not is_loaded(config):
        pytest.exit("the cases need stepmark's pytest plug-in, which is not loaded; add -p suite.plugin.", 2)


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave the cases out if the plug-in is not loaded."""
    return None if is_loaded(config) else True


def is_loaded(config: pytest.Config) -> bool:
    """Whether this session has loaded Stepmark's plug-in, under any name."""
    plugin = sys.modules.get("suite.plugin")
    return plugin is not None and config.pluginmanager.is_registered(plugin)
