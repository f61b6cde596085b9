"""Tunings. Adding a `TuningSpec` in a new file registers it.

Each undoes what it sets. Files import torch only when a tuning is in use.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
