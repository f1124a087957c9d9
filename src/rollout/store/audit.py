"""Checking the audit: what was changed, cut out, cut off or put in behind it is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    cast,
    func,
    literal,
    select,
    text,
    tuple_,
)

from rollout.domain.audit import FIRST, Line, row_digest
from rollout.errors import Problem
from rollout.store.auditing import AUDIT, COVERED, lines, row_name, table_of
from rollout.store.basis_rows import unpacked
from rollout.store.ledger_tables import BasisRow, DecisionRow, ExperimentRow
from rollout.store.sql import batches

PAGE: Final = 1_000
"""Lines that are in memory at once."""
MOST: Final = 1_000
"""Problems that are named; the others are counted."""
BASES: Final = 10
"""Bases that are in memory at once; each may be large."""
_BEFORE_ALL: Final = -(2**63)
_REMEDY: Final = "somebody with the right to write to the database did it: compare it with a backup"


@dataclass(frozen=True, slots=True)
class Head:
    """A line, as it can be noted elsewhere: whoever rewrites the audit up to it cannot give it that hash."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found."""

    lines: int
    newest: Head
    """To be noted where nobody who may write to the database may write."""
    found: int
    problems: tuple[Problem, ...]
    """The first of those that were found."""


@dataclass(slots=True)
class _Notes:
    """Counts all problems and names the first."""

    found: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        self.found += 1
        if len(self.problems) < MOST:
            self.problems.append(Problem(where, what, _REMEDY))


@dataclass(slots=True)
class _Walk:
    """How far the lines have been read."""

    number: int = 0
    hashes: tuple[str, ...] = (FIRST,)
    """By which the newest line may be known: the one that it has, and the one that it should have."""
    lines: int = 0
    known_hashes: tuple[str, ...] | None = None


def verify(connection: Connection, *, known: Head | None = None) -> Verified:
    """Check every line, every row that one vouches for, and that none is without; in bounded memory.

    `known` is a line as it was noted elsewhere. Without it, whoever rewrites all lines from one on to the
    newest, the hashes, the head and the rows with them, is not found: the database has no secret.
    """
    notes, walk = _Notes(), _Walk()
    for page in _pages(connection):
        for line in page:
            _check_line(line, walk, notes)
            if known is not None and line.number == known.number:
                walk.known_hashes = walk.hashes
        _check_rows(connection, page, notes)
    newest = _check_head(connection, walk, notes)
    if known is not None and known.hash not in (walk.known_hashes or ()):
        notes.add(f"audit line {known.number}", "it is not the one that was noted, or it is gone")
    for kind in COVERED:
        _check_covered(connection, table_of(kind), notes)
    _check_counts(connection, notes)
    _check_bases(connection, notes)
    return Verified(walk.lines, newest, notes.found, tuple(notes.problems))


def _pages(connection: Connection) -> Iterator[Sequence[Line]]:
    after = _BEFORE_ALL
    while page := lines(connection, after=after, limit=PAGE):
        yield page
        after = page[-1].number


def _check_line(line: Line, walk: _Walk, notes: _Notes) -> None:
    where, own = f"audit line {line.number}", line.own_hash
    if line.number != walk.number + 1:
        if line.number > walk.number + 1:
            notes.add(_named(walk.number + 1, line.number - 1), "missing")
        else:
            notes.add(where, "no line has such a number")
    elif line.previous not in walk.hashes:
        what = "it does not follow the line that stands before it: one of the two was put in another's place"
        notes.add(where, what)
    if own != line.hash:
        notes.add(where, "it was changed after it was written")
    walk.number, walk.hashes = line.number, (line.hash, own)
    walk.lines += 1


def _check_rows(connection: Connection, page: Sequence[Line], notes: _Notes) -> None:
    """Compare the rows that a page's lines vouch for with what was written down of them."""
    vouching = {line.about: line for line in page if line.about is not None}
    found: set[str] = set()
    for kind in COVERED:
        table = table_of(kind)
        keys = [key for name in vouching if (key := _key(table, name)) is not None]
        columns = tuple_(*table.primary_key)
        for some in batches(keys):
            for row in connection.execute(select(table).where(columns.in_(list(some)))).mappings():
                name = row_name(table, dict(row))
                found.add(name)
                if row_digest(table.name, dict(row)) != vouching[name].content:
                    notes.add(
                        name, f"it is not as audit line {vouching[name].number} says that it was written"
                    )
    for name, line in vouching.items():
        if name not in found:
            notes.add(name, f"missing; audit line {line.number} says that it was written")


def _key(table: Table, name: str) -> tuple[object, ...] | None:
    """Return the key in a row's name, or None when it is of another table."""
    first, *parts = name.split(" ")
    columns = list(table.primary_key)
    if first != table.name or len(parts) != len(columns):
        return None
    is_number = [isinstance(column.type, Integer) for column in columns]
    if any(known and not part.isdecimal() for known, part in zip(is_number, parts, strict=True)):
        return None
    return tuple(int(part) if known else part for known, part in zip(is_number, parts, strict=True))


def _check_head(connection: Connection, walk: _Walk, notes: _Notes) -> Head:
    newest = Head(walk.number, walk.hashes[0])
    head = connection.execute(text("SELECT number, hash FROM audit_head WHERE name = 'audit'")).first()
    if head is None:
        notes.add("audit head", "missing: what was cut off at the end cannot be told without it")
    elif head.number > newest.number:
        notes.add(_named(newest.number + 1, head.number), "cut off")
    elif head.number < newest.number:
        notes.add(_named(head.number + 1, newest.number), "put in behind the newest that was written")
    elif head.hash not in walk.hashes:
        notes.add(f"audit line {newest.number}", "it is not the newest one as the head knows it")
    return newest


def _check_covered(connection: Connection, table: Table, notes: _Notes) -> None:
    """Name the rows for which no line vouches."""
    name: ColumnElement[str] = literal(table.name)
    for column in table.primary_key:
        name = name.concat(" ").concat(cast(column, String))
    alone = select(table).outerjoin(AUDIT, AUDIT.c.about == name).where(AUDIT.c.number.is_(None))
    asked = alone.with_only_columns(*table.primary_key).order_by(*table.primary_key)
    for row in connection.execute(asked.execution_options(yield_per=PAGE)).mappings():
        notes.add(row_name(table, dict(row)), "no line of the audit says that it was written")


def _check_counts(connection: Connection, notes: _Notes) -> None:
    """Name the runs that had more decisions, or fewer, than stand there."""
    run, decision = table_of(ExperimentRow), table_of(DecisionRow)
    stand = func.count(decision.c.number)
    asked = (
        select(run.c.uid, run.c.entries, stand)
        .outerjoin(decision, decision.c.uid == run.c.uid)
        .group_by(run.c.uid, run.c.entries)
        .having(stand != run.c.entries)
    )
    row: Any
    for row in connection.execute(asked):
        notes.add(f"run {row[0]}", f"{row[1]} decisions were recorded, and {row[2]} stand there")


def _check_bases(connection: Connection, notes: _Notes) -> None:
    """Name the decisions of which what they rest on was changed; what was given up in time is not missed."""
    basis, decision = table_of(BasisRow), table_of(DecisionRow)
    is_same = (decision.c.uid == basis.c.uid) & (decision.c.number == basis.c.number)
    columns = (basis.c.uid, basis.c.number, basis.c.content, decision.c.basis_digest)
    asked = select(*columns).join(decision, is_same)
    for row in connection.execute(asked.execution_options(yield_per=BASES)):
        if unpacked(row.content, row.basis_digest) is None:
            notes.add(f"basis {row.uid} {row.number}", "it is not what its decision says that it rested on")


def _named(first: int, last: int) -> str:
    return f"audit line {first}" if first == last else f"audit lines {first} to {last}"
