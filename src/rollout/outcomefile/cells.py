"""Cells as the parts of an outcome: read as they are written, and refused rather than repaired."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from rollout.outcomefile.record import shown

NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")


class Written:
    """Cells of a text file, where everything is text."""

    def text(self, _part: str, cell: object) -> str:
        """Return a text."""
        return str(cell)

    def key(self, cell: object) -> str | None:
        """Return a key; an empty cell is none."""
        return str(cell) or None

    def number(self, part: str, cell: object) -> float:
        """Return a number; raise ValueError."""
        text = str(cell).strip(" \t")
        if NUMBER.fullmatch(text):
            return float(text)
        hint = ": write a decimal point" if DECIMAL_COMMA.fullmatch(text) else ""
        raise ValueError(f"{part}: must be a number (got {shown(cell)}{hint})")

    def whole(self, part: str, cell: object) -> int:
        """Return a whole number; raise ValueError."""
        text = str(cell).strip(" \t")
        if WHOLE.fullmatch(text):
            return int(text)
        hint = "" if part != "ts_us" or not text[:1].isdigit() else ": other times stand in a column 'time'"
        raise ValueError(f"{part}: must be a whole number (got {shown(cell)}{hint})")


class Typed:
    """Cells of a file that has types: whole numbers may be ids, and nothing else is turned into text."""

    def text(self, part: str, cell: object) -> str:
        """Return a text; raise ValueError."""
        match cell:
            case str():
                return cell
            case bytes():
                try:
                    return cell.decode()
                except UnicodeDecodeError:
                    raise ValueError(f"{part}: not UTF-8 (got {shown(cell)})") from None
            case int() if not isinstance(cell, bool):
                return str(cell)
            case None:
                raise ValueError(f"{part}: is missing")
            case _:
                raise ValueError(f"{part}: must be text or a whole number (got {shown(cell)})")

    def key(self, cell: object) -> str | None:
        """Return a key; null is none."""
        return None if cell is None else self.text("key", cell)

    def number(self, part: str, cell: object) -> float:
        """Return a number; raise ValueError."""
        if isinstance(cell, (int, float, Decimal)):
            return float(cell)
        raise ValueError(f"{part}: is missing" if cell is None else _no_number(part, "a number", cell))

    def whole(self, part: str, cell: object) -> int:
        """Return a whole number; raise ValueError."""
        if isinstance(cell, int) and not isinstance(cell, bool):
            return cell
        raise ValueError(f"{part}: is missing" if cell is None else _no_number(part, "a whole number", cell))


def _no_number(part: str, wanted: str, cell: object) -> str:
    return f"{part}: must be {wanted} (got {shown(cell)})"
