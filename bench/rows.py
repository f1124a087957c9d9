"""Tables as a page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table whose first column is text and whose others are figures."""
    return [
        _row(heads),
        f"|---|{'---:|' * (len(heads) - 1)}",
        *map(_row, rows),
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
