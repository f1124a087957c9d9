"""Rows of one file that are one outcome, or say two things of it: found in bounded memory, at any size."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from rollout.api.told import Told, key_text, micro_units
from rollout.lake.units import BLANKS

HELD_ROWS: Final = 2**17
"""Sorted and written out together."""
ROWS_AT_ONCE: Final = 2**18
MOST_PARTS: Final = 2**10
_BOUNDS: Final = np.array([part * 2**64 // MOST_PARTS for part in range(1, MOST_PARTS)], dtype=np.uint64)
COLUMNS: Final = 3
SHOWN: Final = 20
_BLANKS: Final = BLANKS.decode()

ROW_BYTES: Final = 8 * COLUMNS
Edges = NDArray[np.int64]
Rows = NDArray[np.uint64]
"""Of each row: a hash of what makes it the same as another, a hash of what it says, and its line."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two rows with one key that say different things."""

    line: int
    first: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """What was found."""

    same: int = 0
    """Rows that say again what an earlier one says."""
    conflicts: int = 0
    shown: tuple[Conflict, ...] = ()
    is_complete: bool = True
    """Whether all rows were compared; not where no room was left for it."""


class Seen:
    """Notes every row of a file: 24 bytes in a temporary file, and none of the ids."""

    def __init__(self) -> None:
        self._held = array("Q")
        self._file: IO[bytes] | None = None
        self._edges: list[Edges] = []
        """Of each run in the file: where each part begins, and the end."""
        self._is_complete = True

    def add(self, line: int, told: Told) -> None:
        """Note a row."""
        same = f"{told.unit.strip(_BLANKS)}\n{told.metric}\n{key_text(told)}"
        says = f"{told.ts_us} {micro_units(told.value)}"
        self._held.extend((xxh3_64_intdigest(same.encode()), xxh3_64_intdigest(says.encode()), line))
        if len(self._held) >= HELD_ROWS * COLUMNS:
            rows, self._held = _sorted(self._held), array("Q")
            if self._is_complete:
                self._write_out(rows)

    def close(self) -> None:
        """Give back the temporary file."""
        if self._file is not None:
            self._file.close()

    def found(self) -> Repeats:
        """Return which rows are one outcome; asked once, at the end."""
        same = conflicts = 0
        shown: list[Conflict] = []
        for rows in self._parts():
            repeats, differing = _compared(rows)
            same += repeats
            conflicts += len(differing)
            least = differing[np.argsort(differing[:, 0])[:SHOWN]]
            shown += [Conflict(int(line), int(first)) for line, first in least]
        shown.sort(key=lambda one: one.line)
        return Repeats(same, conflicts, tuple(shown[:SHOWN]), self._is_complete)

    def _write_out(self, rows: Rows) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="rollout-")  # noqa: SIM115 (`close` does)
            self._file.write(rows.tobytes())
            self._file.flush()
        except OSError:
            self._is_complete = False
            return
        self._edges.append(_edges(rows))

    def _parts(self) -> Iterator[Rows]:
        """Yield all rows in parts; those that may be the same are in the same part."""
        held = _sorted(self._held)
        if self._file is None or not self._edges:
            yield held
            return
        parts, total = 1, len(held) + sum(int(edges[-1]) for edges in self._edges)
        while parts < MOST_PARTS and parts * ROWS_AT_ONCE < total:
            parts *= 2
        bounds = range(0, MOST_PARTS + 1, MOST_PARTS // parts)
        for first, last in pairwise(bounds):
            yield np.concatenate(
                [_slice(held, _edges(held), first, last), *self._slices(self._file, first, last)]
            )

    def _slices(self, file: IO[bytes], first: int, last: int) -> Iterator[Rows]:
        """Read some parts of every run: by reading, for what is mapped counts as memory."""
        begin = 0
        for edges in self._edges:
            file.seek((begin + int(edges[first])) * ROW_BYTES)
            content = file.read(int(edges[last] - edges[first]) * ROW_BYTES)
            yield np.frombuffer(content, dtype=np.uint64).reshape(-1, COLUMNS)
            begin += int(edges[-1])


def _edges(rows: Rows) -> Edges:
    return np.concatenate([[0], np.searchsorted(rows[:, 0], _BOUNDS), [len(rows)]]).astype(np.int64)


def _slice(rows: Rows, edges: Edges, first: int, last: int) -> Rows:
    return rows[int(edges[first]) : int(edges[last])]


def _sorted(held: array[int]) -> Rows:
    rows = np.array(held, dtype=np.uint64).reshape(-1, COLUMNS)
    found: Rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return found


def _compared(rows: Rows) -> tuple[int, Rows]:
    """Return how many rows repeat the first of their key, and the lines of those that differ, with that."""
    rows = rows[np.lexsort((rows[:, 2], rows[:, 0]))]
    is_first = np.ones(len(rows), dtype=np.bool_)
    is_first[1:] = rows[1:, 0] != rows[:-1, 0]
    first = np.maximum.accumulate(np.where(is_first, np.arange(len(rows)), 0))
    differs = rows[:, 1] != rows[first, 1]
    same = int(np.count_nonzero(~is_first & ~differs))
    return same, np.column_stack([rows[differs, 2], rows[first[differs], 2]])
