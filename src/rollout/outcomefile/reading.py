"""A file of outcomes from its name to its good rows; every other row is counted, and handed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from rollout.api.told import TIMELY, Meaning, Told, Untimely, Wanted, check
from rollout.errors import NotReadable, Problem
from rollout.outcomefile.columns import Asked, Reader, layout_of
from rollout.outcomefile.csv_rows import CsvRows
from rollout.outcomefile.findings import MOST_COLUMNS, Findings
from rollout.outcomefile.lines import JsonLines
from rollout.outcomefile.parquet import ParquetRows
from rollout.outcomefile.record import Record, Table
from rollout.outcomefile.rejects import OURS, Rejects
from rollout.outcomefile.source import STANDARD_INPUT, Form, opened

TOLD_EVERY: Final = 2_000
"""Rows after which is said how far it is."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What outcomes are checked against."""

    metrics: Wanted | None
    """None when nobody says which there are."""
    now_us: Callable[[], int]


@dataclass(frozen=True, slots=True)
class File:
    """An opened file, how its rows are understood, and how far it is read."""

    table: Table
    reader: Reader
    unused: Sequence[str]
    untimely: Callable[[Record], str | None]
    progress: Callable[[], tuple[int, int | None]]


@dataclass(frozen=True, slots=True)
class Collected:
    """Where everything that is found about one file goes."""

    findings: Findings
    rejects: Rejects | None = None
    on_read: Callable[[int, int | None], object] = lambda _done, _all: None

    def reject(self, record: Record, why: str) -> None:
        """Count a row that is not taken, and keep it."""
        self.findings.reject(record.line, why)
        if self.rejects is not None:
            self.rejects.put(record, why)


@contextmanager
def opened_file(name: str, form: Form, asked: Asked) -> Iterator[File]:
    """Yield a file that can be read; raise `NotReadable` with everything that forbids it."""
    if form is Form.PARQUET:
        yield _parquet(name, asked)
        return
    with opened(name) as source:
        table = CsvRows(source, asked.delimiter) if form is Form.CSV else JsonLines(source)
        layout = layout_of(source.name, table.columns, asked)
        yield File(
            table,
            Reader(form, layout, asked),
            [one for one in layout.unused if one and one not in OURS][:MOST_COLUMNS],
            partial(_untimely, asked),
            lambda: (source.counted.count, source.size),
        )


def good_rows(file: File, standard: Standard, collected: Collected) -> Iterator[tuple[Record, Told]]:
    """Yield the rows with which nothing is wrong, and what they tell."""
    findings = collected.findings
    for record in file.table:
        findings.rows += 1
        if findings.rows % TOLD_EVERY == 0:
            collected.on_read(*file.progress())
        try:
            told = file.reader.told(record)
            check(told, standard.metrics, standard.now_us())
        except Untimely as error:
            collected.reject(record, file.untimely(record) or str(error))
        except ValueError as error:
            collected.reject(record, str(error))
        else:
            yield record, told
    collected.on_read(*file.progress())


def wanted_of(answered: Mapping[str, Sequence[str]]) -> Wanted:
    """Return what the door says it wants; of a meaning that is not known here, the door decides."""
    known = Meaning.__members__
    return {
        name: frozenset(known.get(one, Meaning.AMOUNT) for one in meanings)
        for name, meanings in answered.items()
    }


def as_line(told: Told) -> bytes:
    """Write an outcome as the door takes it."""
    return msgspec.json.encode(told)


def _parquet(name: str, asked: Asked) -> File:
    if name == STANDARD_INPUT:
        what = "Parquet cannot be read from standard input: it begins at its end"
        raise NotReadable(Problem("stdin", what, "name a file"))
    table = ParquetRows(name)
    layout = layout_of(name, table.columns, asked)
    table.keep(list(layout.of.values()))
    return File(
        table,
        Reader(Form.PARQUET, layout, asked),
        [one for one in layout.unused if one not in OURS][:MOST_COLUMNS],
        partial(_untimely, asked),
        lambda: (table.done, table.rows),
    )


def _untimely(asked: Asked, record: Record) -> str | None:
    """Return what is wrong with the time of a row that has a column `time`, in its own terms."""
    written = record.cells.get(asked.column_of("time"))
    return None if written is None else f"time: must be {TIMELY} (got {asked.moments.shown(written)})"
