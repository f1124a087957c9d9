"""Every public number says its formula, its source, its assumption, and whether it is exact."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

import rollout.stats

PLAIN = {"arrays", "interval"}
ROOT = Path(__file__).parents[2]


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


def test_the_page_of_formulas_is_what_the_docstrings_say() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "formulas.py")]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert (ROOT / "docs" / "formulas.md").read_text() == made, "run `make docs`"
    for name, _ in _public_functions():
        assert f"**`{name}`**" in made or name == "tails.pair"
