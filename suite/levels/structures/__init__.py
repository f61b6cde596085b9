"""Network structures, one family a file.

A builder with `@STRUCTURES.register(...)` in a new file is registered. Files import torch inside their builders only,
so that the matrix can be listed without it.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
