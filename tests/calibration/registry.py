"""Finds every trap: each module under `traps` says `TRAPS`, and no number is taken twice."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from tests.calibration import traps
from tests.calibration.trap import Trap


def all_traps(package: ModuleType = traps) -> tuple[Trap, ...]:
    """Return all traps of a package in the order of their numbers."""
    found: dict[int, Trap] = {}
    for module in pkgutil.iter_modules(package.__path__):
        for trap in importlib.import_module(f"{package.__name__}.{module.name}").TRAPS:
            if trap.number in found:
                raise ValueError(f"trap {trap.number}: two modules claim it")
            found[trap.number] = trap
    return tuple(found[number] for number in sorted(found))
