"""The table of every key in `docs/policy.md`, made from the shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rollout.policyfile.anatomy import Key, keys
from rollout.policyfile.faults import MUST_BE_A_LIST, must_be_keys
from rollout.policyfile.forms import Unfit
from rollout.policyfile.leaves import Shape
from rollout.policyfile.nodes import Scalar
from rollout.policyfile.shapes import Expect, File, Level

BEGIN: Final = "<!-- keys: written by make docs -->\n"
END: Final = "<!-- end of keys -->\n"
HEADER: Final = (
    "| key | written as | default | meaning | a wrong value is answered with |\n|---|---|---|---|---|\n"
)
UNFIT: Final = (Scalar("?!", 0, is_quoted=True), Scalar("1.10", 0), Scalar("", 0))
"""Values of which every key refuses one."""


def table() -> str:
    """Return one row for each key; it depends on the code only."""
    return HEADER + "".join(dict.fromkeys(_rows(File, "")))


def renewed(page: str) -> str:
    """Return the page with the table of today between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _rows(shape: type[Shape], prefix: str) -> Iterator[str]:
    for name, key in keys(shape).items():
        path = f"{prefix}{name}"
        shown = f"{path}.<name>" if key.is_open else path
        cells = (f"`{shown}`", key.form, _default(key), key.field.description, _refusal(key))
        yield f"| {' | '.join(str(cell) for cell in cells)} |\n"
        for inner in key.shapes:
            yield from _rows(inner, _inside(path, key, inner))
    if shape is Expect:
        yield from _rows(Level, f"{prefix}<metric>.")


def _inside(path: str, key: Key, inner: type[Shape]) -> str:
    kind = next((kind for kind, other in key.kinds.items() if other is inner), None)
    if not key.is_list:
        return f"{path}."
    return f"{path}[{kind or ''}]."


def _default(key: Key) -> str:
    if key.field.is_required():
        return "required"
    default = str(key.default).lower() if isinstance(key.default, bool) else key.default
    return "" if default is None else f"`{default}`"


def _refusal(key: Key) -> str:
    """Return what is said when a key's value is of another form."""
    for validator in key.validators[-1:]:
        for value in UNFIT:
            try:
                validator.func(value)  # type: ignore[call-arg]  # ours take the value alone
            except Unfit as unfit:
                return unfit.what
    return MUST_BE_A_LIST if key.is_list else must_be_keys(key.shapes[0] if key.shapes else None)
