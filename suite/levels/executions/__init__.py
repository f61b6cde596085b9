"""Executions, one strategy per file. A new file here that adds an `ExecutionSpec` is found by itself."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
