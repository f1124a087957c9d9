"""Every public number says its formula, its source, its assumption, and whether it is exact."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import FunctionType

import pytest

import rollout.stats

PLAIN = {"arrays", "interval"}


def _public_functions() -> Iterator[tuple[str, FunctionType]]:
    for found in pkgutil.iter_modules(rollout.stats.__path__):
        if found.name in PLAIN:
            continue
        module = importlib.import_module(f"rollout.stats.{found.name}")
        for name, member in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("_") and member.__module__ == module.__name__:
                yield f"{found.name}.{name}", member


@pytest.mark.parametrize(
    ("name", "function"), [pytest.param(*pair, id=pair[0]) for pair in _public_functions()]
)
def test_a_public_function_names_its_formula_and_source(name: str, function: FunctionType) -> None:
    text = inspect.getdoc(function) or ""
    if name == "tails.pair":
        return
    for word in ("Formula:", "Source:", "Assumes:"):
        assert word in text, f"{name}: the docstring lacks '{word}'"
    assert "Exact" in text or "Asymptotic" in text, f"{name}: say whether it is exact or asymptotic"
