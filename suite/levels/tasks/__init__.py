"""Tasks, one a file. Adding a `TaskSpec` in a new file registers it."""

import importlib
import pkgutil

importlib.import_module(f"{__name__}.classify")  # the default comes first: the order of levels is that of cases
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
