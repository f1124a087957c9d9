"""The few shapes of statement that the counts need, made from the tables' own keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from sqlalchemy import Connection, TextClause, inspect, text
from sqlmodel import SQLModel

BATCH: Final = 400
"""How many values one statement names; SQLite allows 32,766 parameters."""
ERRORS: Final = "errors"
WINDOWS: Final = "windows"
"""What a full table leaves out of a run's counts; the metric then holds."""
RECORDS: Final = "records"
"""What nodes lost before it reached the lake; no proof rests on the rest."""
LATE: Final = "late windows"
"""What came more than an hour late; it is only counted."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The present, how long details are kept, and how many rows a table may hold."""

    now_us: int
    horizon_us: int
    rows: int


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """Yield the items, so many at a time."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def put(row: type[SQLModel], source: str | None = None) -> TextClause:
    """Return the statement that inserts rows, or replaces those with the same key."""
    return _upsert(row, "{name} = excluded.{name}", source)


def add(row: type[SQLModel], source: str | None = None) -> TextClause:
    """Return the statement that inserts rows, or adds to those with the same key."""
    return _upsert(row, "{name} = {table}.{name} + excluded.{name}", source)


def put_many(connection: Connection, row: type[SQLModel], rows: Sequence[tuple[object, ...]]) -> None:
    """Insert or replace rows, each a tuple in the order of the table's columns."""
    marks = _marks(connection, len(inspect(row).local_table.columns))
    many(connection, put(row, f"VALUES ({marks})").text, rows)


def add_many(connection: Connection, row: type[SQLModel], rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows or add to those with the same key, each a tuple in the order of the table's columns."""
    marks = _marks(connection, len(inspect(row).local_table.columns))
    many(connection, add(row, f"VALUES ({marks})").text, rows)


def stage(connection: Connection, name: str, columns: str) -> None:
    """Have an empty table of this connection's own, for what a transaction brings."""
    # PostgreSQL never tidies such tables up by itself: what is only deleted would pile up.
    ending = " ON COMMIT DELETE ROWS" if connection.dialect.name == "postgresql" else ""
    connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns}){ending}")
    connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608 (our own names)


def insert_many(connection: Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, each a tuple of all columns; the driver takes them as they are, which is what is fast."""
    if rows:
        marks = _marks(connection, len(rows[0]))
        many(connection, f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 (our own names)


def many(connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Carry out a statement in the driver's own words for every row."""
    if rows:
        connection.exec_driver_sql(statement, list(rows))


def _marks(connection: Connection, count: int) -> str:
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    return ", ".join([mark] * count)


def count_rows(connection: Connection, name: str, change: int) -> int:
    """Note that a bounded table grew or shrank; returns how many rows it holds."""
    statement = text(
        "INSERT INTO room (name, rows) VALUES (:name, :change) "
        "ON CONFLICT (name) DO UPDATE SET rows = room.rows + excluded.rows RETURNING rows"
    )
    return int(connection.execute(statement, {"name": name, "change": change}).scalar_one())


def leave_out(connection: Connection, run_id: int, what: str, count: int, now_us: int) -> None:
    """Note that a run's counts lack something, since when, and how much."""
    if count > 0:
        connection.execute(
            text(
                "INSERT INTO incomplete (run_id, what, since_us, left_out) "
                "VALUES (:run, :what, :now, :count) "
                "ON CONFLICT (run_id, what) DO UPDATE SET left_out = incomplete.left_out + excluded.left_out"
            ),
            {"run": run_id, "what": what, "now": now_us, "count": count},
        )


@cache
def _upsert(row: type[SQLModel], change: str, source: str | None) -> TextClause:
    table = inspect(row).local_table
    columns = [column.name for column in table.columns]
    keys = [column.name for column in table.columns if column.primary_key]
    name = row.__tablename__
    changes = ", ".join(change.format(name=column, table=name) for column in columns if column not in keys)
    values = source or f"VALUES ({', '.join(f':{column}' for column in columns)})"
    return text(
        f"INSERT INTO {name} ({', '.join(columns)}) {values} "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )
