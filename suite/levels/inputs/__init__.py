"""Input pipelines, one a file. Adding an `InputSpec` in a new file registers it."""

import importlib
import pkgutil

importlib.import_module(f"{__name__}.synthetic")  # the default comes first: the order of levels is that of cases
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
