"""CSV as RFC 4180 has it, with the line of each row, also after a quote that nobody closes."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Final, NamedTuple

from rollout.errors import NotReadable, Problem
from rollout.outcomefile.lines import BYTE_ORDER_MARK, TOO_LONG, lines
from rollout.outcomefile.record import LONGEST_LINE, Record
from rollout.outcomefile.source import Source, broken_where

MOST_REREADS: Final = 1_000
"""How many quotes may be left open; each has what follows read again."""


class _TooLong(Exception):
    """A row of several lines, or a line, beyond what is held."""


class _Line(NamedTuple):
    """A line as text, and what is wrong with its bytes."""

    text: str
    damage: str | None = None


class _Feed:
    """Gives the reader line after line, and keeps those of the row that it is reading."""

    def __init__(self, source: Source) -> None:
        self._lines = lines(source.stream)
        self._held: deque[_Line] = deque()
        self.number = 0
        self.begin()

    def begin(self) -> None:
        """Forget the lines of the row before."""
        self.taken: list[_Line] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return a line; raise `_TooLong` when there is too much of a row."""
        if self._held:
            line, is_whole = self._held.popleft(), True
        else:
            content, is_whole = next(self._lines)
            line = _decoded(content if self.number else content.removeprefix(BYTE_ORDER_MARK))
        self.number += 1
        self.taken.append(line)
        self._size += len(line.text)
        if not is_whole or self._size > LONGEST_LINE:
            raise _TooLong
        return line.text

    @property
    def damage(self) -> str | None:
        """What is wrong with the bytes of this row."""
        return next((line.damage for line in self.taken if line.damage is not None), None)

    def read_again(self) -> None:
        """Give all lines of this row but the first once more."""
        again = self.taken[1:]
        self._held.extendleft(reversed(again))
        self.number -= len(again)


def _decoded(content: bytes) -> _Line:
    try:
        return _Line(content.decode())
    except UnicodeDecodeError as error:
        damage = f"not UTF-8: byte 0x{content[error.start]:02x} at place {error.start + 1}"
        return _Line(content.decode(errors="surrogateescape"), damage)


class CsvRows:
    """A CSV file whose first line names the columns."""

    def __init__(self, source: Source, delimiter: str = ",") -> None:
        self._name = source.name
        self._feed = _Feed(source)
        self._reader = csv.reader(self._feed, delimiter=delimiter, strict=True)
        self._rereads = 0
        with broken_where(self._name):
            self.columns = self._header()

    def __iter__(self) -> Iterator[Record]:
        """Read the rows, once."""
        with broken_where(self._name):
            for _ in repeat(None):
                line, found = self._next()
                if found is None:
                    return
                if isinstance(found, Record):
                    yield found
                elif found:
                    yield self._record(line, found)

    def _next(self) -> tuple[int, Record | Sequence[str] | None]:
        """Return where the next row begins, its cells, or what is wrong with it, or nothing at the end."""
        feed, line = self._feed, self._feed.number + 1
        feed.begin()
        try:
            return line, next(self._reader)
        except StopIteration:
            return line, None
        except (csv.Error, _TooLong) as error:
            first = feed.taken[0]
            why = TOO_LONG if isinstance(error, _TooLong) else str(error)
            if len(feed.taken) > 1:
                why = "a quote is opened here and closed nowhere, or followed by more than a comma"
                self._count_reread()
                feed.read_again()
            return line, Record(line, {}, first.damage or why, [first.text.rstrip("\r\n")])

    def _count_reread(self) -> None:
        self._rereads += 1
        if self._rereads > MOST_REREADS:
            what = f"more than {MOST_REREADS:,} quotes are left open, the last at line {self._feed.number}"
            raise NotReadable(Problem(self._name, what, "quote cells as RFC 4180 says"))

    def _record(self, line: int, row: Sequence[str]) -> Record:
        feed = self._feed
        if feed.damage is not None:
            return Record(line, {}, feed.damage, row)
        if len(row) != len(self.columns):
            many = f" in the lines {line} to {feed.number}, which a quote joins" if feed.number > line else ""
            fault = f"{len(row)} cells{many}, but {len(self.columns)} columns"
            return Record(line, {}, fault, row)
        return Record(line, dict(zip(self.columns, row, strict=True)), None, row)

    def _header(self) -> Sequence[str]:
        for _ in range(MOST_REREADS):
            line, found = self._next()
            if isinstance(found, Record):
                raise NotReadable(
                    Problem(f"{self._name}:{line}", f"no header: {found.fault}", "name the columns there")
                )
            if found is None:
                break
            if found:
                return self._named(line, [cell.strip() for cell in found])
        raise NotReadable(Problem(self._name, "it has no header", "name the columns in its first line"))

    def _named(self, line: int, columns: Sequence[str]) -> Sequence[str]:
        where = f"{self._name}:{line}"
        if self._feed.damage is not None:
            raise NotReadable(Problem(where, f"the header is {self._feed.damage}", "save it as UTF-8"))
        doubled = next((name for name in columns if name and columns.count(name) > 1), None)
        if doubled is not None:
            raise NotReadable(Problem(where, f"two columns are named '{doubled}'", "rename one"))
        return columns
