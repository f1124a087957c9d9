"""Parquet as rows with their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rollout.errors import NotReadable, Problem
from rollout.lake.outcome_files import WITH_ZONE, NotParquet, ParquetFile, is_moment
from rollout.outcomefile.moments import Instant
from rollout.outcomefile.record import Record


class ParquetRows:
    """A Parquet file; a row's line is its number."""

    def __init__(self, name: str) -> None:
        path = Path(name)
        try:
            path.open("rb").close()
            self._file = ParquetFile(path)
        except OSError as error:
            what = (error.strerror or str(error)).lower()
            raise NotReadable(Problem(name, what, "name a file that can be read")) from None
        except NotParquet as error:
            raise NotReadable(Problem(name, str(error), "is it Parquet, and whole?")) from None
        self._name = name
        self.rows = self._file.rows
        self.columns: Sequence[str] = list(self._file.types)
        self.done = 0

    def keep(self, columns: Sequence[str]) -> None:
        """Read only these columns."""
        self._file.keep(columns)

    def __iter__(self) -> Iterator[Record]:
        """Read the rows, once."""
        names = list(self._file.types)
        moments = [
            (place, kind != WITH_ZONE)
            for place, kind in enumerate(self._file.types.values())
            if is_moment(kind)
        ]
        try:
            for number, row in enumerate(self._file, start=1):
                cells = list(row)
                for place, is_naive in moments:
                    us = cells[place]
                    cells[place] = Instant(us, is_naive) if isinstance(us, int) else None
                self.done = number
                yield Record(number, dict(zip(names, cells, strict=True)))
        except NotParquet as error:
            where = f"{self._name}, after row {self.done:,}"
            raise NotReadable(Problem(where, str(error), "was the file written to its end?")) from None
