"""Outcomes that somebody wrote as Parquet: rows of some columns, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

from rollout.lake.engine import connect

ROWS_AT_ONCE: Final = 5_000
MEMORY_LIMIT: Final = "512MB"
WITH_ZONE: Final = "TIMESTAMP WITH TIME ZONE"
LONGEST_WHY: Final = 200
# One file by its name: no columns from the folders above it.
FROM: Final = "FROM read_parquet(?, hive_partitioning = false)"


class NotParquet(ValueError):
    """A file that cannot be read as Parquet, or not any further."""


class ParquetFile:
    """A file that was opened; its rows are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._engine = connect(memory_limit=MEMORY_LIMIT)
        self._path = _literally(path)
        try:
            described = self._engine.execute(f"DESCRIBE SELECT * {FROM}", [self._path]).fetchall()
            counted = self._engine.execute(f"SELECT count(*) {FROM}", [self._path]).fetchall()
        except duckdb.Error as error:
            raise NotParquet(_first_line(error)) from None
        self.types: Mapping[str, str] = {name: kind for name, kind, *_ in described}
        self.rows = int(counted[0][0])

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        """Yield each row's cells; moments as microseconds since 1970, of whatever zone."""
        wanted = ", ".join(_cell(name, kind) for name, kind in self.types.items())
        try:
            self._engine.execute(f"SELECT {wanted} {FROM}", [self._path])
            while rows := self._engine.fetchmany(ROWS_AT_ONCE):
                yield from rows
        except duckdb.Error as error:
            raise NotParquet(_first_line(error)) from None

    def keep(self, columns: Sequence[str]) -> None:
        """Read only these columns from now on."""
        self.types = {name: kind for name, kind in self.types.items() if name in columns}


def is_moment(kind: str) -> bool:
    """Say whether a column holds moments."""
    return kind.startswith("TIMESTAMP")


def _cell(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    return f"epoch_us({column})" if is_moment(kind) else column


def _literally(path: Path) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path))


def _first_line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0][:LONGEST_WHY]
