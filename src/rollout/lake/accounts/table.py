"""Columns that grow together: one row for each unit, where it was first put."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rollout.stats.arrays import IntArray

Width: TypeAlias = tuple[type[np.integer | np.bool_], int]
"""A column's type, and how many numbers a row has in it: 0 for a single one."""
_FIRST: Final = 64


class Table:
    """Named columns of whole numbers, or of several in each row."""

    def __init__(self, widths: Mapping[str, Width]) -> None:
        self._columns: dict[str, NDArray[np.generic]] = {
            name: np.zeros(_FIRST if width == 0 else (_FIRST, width), dtype=kind)
            for name, (kind, width) in widths.items()
        }
        self.length = 0

    def __getitem__(self, name: str) -> IntArray:
        """Return a column's rows, to read and to change in place."""
        return self._columns[name][: self.length]  # type: ignore[return-value]  # flags and small numbers too

    def grow(self, number: int) -> IntArray:
        """Add so many rows of zeros, and return which they are."""
        rows = np.arange(self.length, self.length + number, dtype=np.int64)
        self.length += number
        for name, column in self._columns.items():
            if self.length > len(column):
                longer = np.zeros((max(self.length, 2 * len(column)), *column.shape[1:]), dtype=column.dtype)
                longer[: len(column)] = column
                self._columns[name] = longer
        return rows

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(self._columns)

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return sum(column.nbytes for column in self._columns.values())
