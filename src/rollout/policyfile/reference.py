"""The table of every key in `docs/policy.md`, made from the shapes."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from rollout.policyfile.anatomy import Key, keys
from rollout.policyfile.leaves import Shape
from rollout.policyfile.shapes import METRICS, Expect, File, Level
from rollout.policyfile.writing import duration_text, percent_text

BEGIN: Final = "<!-- keys: written by make docs -->\n"
END: Final = "<!-- end of keys -->\n"
HEADER: Final = "| key | value | default | meaning |\n|---|---|---|---|\n"


def table() -> str:
    """Return one row for each key; it depends on the code only."""
    return HEADER + "".join(_rows(File, ""))


def renewed(page: str) -> str:
    """Return the page with the table of today between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _rows(shape: type[Shape], prefix: str) -> Iterator[str]:
    for name, key in keys(shape).items():
        path = f"{prefix}{name}"
        if not key.shapes:
            yield f"| `{path}` | {key.form} | {_default(key)} | {key.field.description} |\n"
        for inner in key.shapes:
            yield from _rows(inner, _inside(path, key, inner))
    if shape is Expect:
        yield from _rows(Level, f"{prefix}<metric>.")


def _inside(path: str, key: Key, inner: type[Shape]) -> str:
    kind = next((kind for kind, other in METRICS.items() if other is inner), None)
    if kind is not None:
        return f"{path}[{kind}]."
    return f"{path}[]." if key.is_list else f"{path}."


def _default(key: Key) -> str:
    value = key.field.default
    if key.field.is_required():
        return "required"
    match value:
        case StrEnum():
            return f"`{value.value}`"
        case float() if "percentage" in key.form:
            return f"`{percent_text(value)}`"
        case float():
            return f"`{duration_text(value)}`"
        case _:
            return ""
