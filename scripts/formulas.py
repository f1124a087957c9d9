"""Prints docs/formulas.md: every public function of rollout.stats with its formula, source and assumption."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import rollout.stats

HEAD = """# Formulas

Made from the docstrings of `rollout.stats` by `make docs`; [statistics.md](statistics.md) explains them.
*Exact*: the error rate holds for any sample size. *Asymptotic*: it holds as the sample grows, and
[calibration.md](calibration.md) shows how soon.
"""
PARTS = re.compile(
    r"Formula:\s+(?P<formula>.*?)\s+Source:\s+(?P<source>.*?)\s+"
    r"Assumes:\s+(?P<assumes>.*?)\s+(?P<kind>Exact[^.]*|Asymptotic)\.$",
    re.DOTALL,
)
FORMULAS = list[tuple[str, str, dict[str, str]]]


def documented() -> Iterator[tuple[str, FORMULAS]]:
    """Yield each module's heading and its functions: name, summary, and the four parts of the docstring."""
    for found in pkgutil.iter_modules(rollout.stats.__path__):
        module = importlib.import_module(f"rollout.stats.{found.name}")
        functions: FORMULAS = []
        for name, member in _members(module.__name__, vars(module)):
            summary, _, rest = (inspect.getdoc(member) or "").partition("\n\n")
            parts = PARTS.search(rest)
            if parts is not None:
                words = {key: " ".join(value.split()) for key, value in parts.groupdict().items()}
                functions.append((f"{found.name}.{name}", summary, words))
        if functions:
            yield f"## {found.name}\n\n{inspect.getdoc(module)}", functions


def _members(module: str, names: dict[str, object]) -> Iterator[tuple[str, object]]:
    """Yield public functions and class methods, in the order in which they are written."""
    for name, member in names.items():
        if getattr(member, "__module__", None) != module or name.startswith("_"):
            continue
        if inspect.isfunction(member):
            yield name, member
        elif inspect.isclass(member):
            for method, function in vars(member).items():
                if isinstance(function, classmethod) and not method.startswith("_"):
                    yield f"{name}.{method}", function.__func__


def main() -> None:
    """Print the page."""
    print(HEAD)
    for title, functions in documented():
        print(f"{title}\n")
        for name, summary, parts in functions:
            print(f"**`{name}`**: {summary}")
            print(f"- Formula: {parts['formula']}")
            print(f"- Source: {parts['source']}")
            print(f"- Assumes: {parts['assumes']} *{parts['kind']}.*\n")


if __name__ == "__main__":
    main()
