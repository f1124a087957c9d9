"""A row and more for every table that ever was, as the program of each revision wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Table, inspect, select, text

Rows = dict[str, list[dict[str, Any]]]
OLD: Final = Path(__file__).parent / "old"
NOW_US: Final = 1_900_000_000_000_000
MINUTE: Final = NOW_US // 60_000_000
WINDOW: Final = NOW_US // 10_000_000
UNIT: Final = -(2**62) - 7
CURSOR: Final = 2**40
_ARM: Final = {"threshold_id": 1, "arm": "control"}

COUNTED: Final[Rows] = {
    "run": [{"id": 1, "experiment": "churn-v2", "revision": 1}],
    "log_cursor": [
        {"node": "n", "log": "l", "kind": "exposures", "position": CURSOR, "updated_us": NOW_US},
    ],
    "node_mark": [
        {"node": "n", "kind": "exposures", "watermark_us": NOW_US - 5, "seen_us": NOW_US, "bad_lines": 3},
    ],
    "room": [
        {"name": "error_unit", "rows": 1},
        {"name": "error_event", "rows": 1},
        {"name": "unit_window", "rows": 1},
    ],
    "incomplete": [{"run_id": 1, "what": "errors", "since_us": NOW_US, "left_out": 4}],
    "tally": [
        {
            "run_id": 1,
            "block": 0,
            "arm": "control",
            "minute": MINUTE,
            "requests": 9,
            "errors": 2,
            "left_early": 1,
            "fallbacks": 0,
            "durations": bytes([3, 0, 7, 0, 0, 0, 0, 0, 0, 0]),
        }
    ],
    "error_unit": [
        {
            "run_id": 1,
            "unit": UNIT,
            "first_us": NOW_US - 9,
            "arm": "control",
            "split": 1,
            "last_us": NOW_US - 9,
        }
    ],
    "error_event": [
        {
            "run_id": 1,
            "unit": UNIT,
            "ts_us": NOW_US - 9,
            "arm": "control",
            "split": 1,
            "previous_us": None,
        }
    ],
    "error_total": [{"run_id": 1, "arm": "control", "split": 1, "units": 1}],
    "threshold": [{"id": 1, "run_id": 1, "metric": "p99", "limit_us": 250_000, "share": 0.05, "side": "all"}],
    "unit_window": [{**_ARM, "time_window": WINDOW - 9, "unit": UNIT, "requests": 4, "exceedances": 1}],
    "arm_window": [
        {
            **_ARM,
            "time_window": WINDOW - 9,
            "units": 1,
            "fraction_nano": 250_000_000,
            "requests": 4,
            "exceedances": 1,
        }
    ],
    "unit_total": [{**_ARM, "unit": UNIT, "requests": 6, "exceedances": 2}],
    "arm_total": [
        {**_ARM, "units": 2, "fraction_nano": 500_000_000, "outage_units": 1, "slow_minutes": 0},
    ],
}
AROUND: Final[Rows] = {
    "leadership": [],
    "token": [
        {
            "name": "ann",
            "digest": "d" * 64,
            "role": "operator",
            "groups": "[]",
            "created_us": NOW_US,
            "created_by": "local",
            "expires_us": None,
            "revoked_us": None,
            "used_us": None,
        }
    ],
    "kept_answer": [
        {
            "caller": "ann",
            "key": "k",
            "asked": "a",
            "at_us": NOW_US,
            "status": 202,
            "headers": "{}",
            "body": "{}",
        }
    ],
    "notification": [
        {
            "number": 1,
            "key": "k",
            "receiver": "leads",
            "uid": "00000001",
            "name": "churn-v2",
            "topic": "t",
            "is_withdrawable": False,
            "at_us": NOW_US,
            "due_us": NOW_US,
            "state": "sent",
            "tries": 1,
            "ended_us": NOW_US,
            "problem": None,
            "letter": None,
            "content": "{}",
        }
    ],
    "receiver": [
        {
            "name": "leads",
            "holder": None,
            "held_until_us": 0,
            "next_us": 0,
            "paced_us": 0,
            "failures": 0,
        }
    ],
    "basis": [],
}
"""What revisions fill themselves, or what only today's code can write, is empty here."""


def fill(connection: Connection, revision: str) -> None:
    """Put rows into every table that there is at a revision; a table without any is refused."""
    given = {**COUNTED, **AROUND, **_ledger(revision)}
    tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    unknown = tables - given.keys()
    assert not unknown, f"give rows of {sorted(unknown)} in {Path(__file__).name}"
    if "audit_head" in tables:
        # The revision itself begins it.
        connection.execute(text("DELETE FROM audit_head"))
    tables_then = [(name, _table(connection, name)) for name in given if name in tables]
    for name, table in tables_then:
        known = {column.name for column in table.columns}
        for row in given[name]:
            then = {column: value for column, value in row.items() if column in known}
            connection.execute(table.insert(), then)
        for column in table.primary_key if connection.dialect.name == "postgresql" else ():
            if column.autoincrement is True or column.server_default is not None:
                newest = f"SELECT setval(pg_get_serial_sequence('{name}', '{column.name}'), 1)"
                connection.exec_driver_sql(newest)

    # Since 0005 it is counted, and was begun by that revision.
    connection.execute(text("UPDATE room SET rows = 1 WHERE name = 'unit_total'"))


def held(connection: Connection, columns: dict[str, list[str]] | None = None) -> Rows:
    """Return all rows, of those columns that there were before, if that is asked."""
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    found: Rows = {}
    for name in sorted(names if columns is None else columns):
        table = _table(connection, name)
        chosen = table.columns if columns is None else [table.c[one] for one in columns[name]]
        rows = [dict(row) for row in connection.execute(select(*chosen)).mappings()]
        found[name] = sorted(rows, key=repr)
    return found


def columns_of(connection: Connection) -> dict[str, list[str]]:
    """Return every table's columns, in the order of their names."""
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    return {name: sorted(_table(connection, name).c.keys()) for name in names}


def _table(connection: Connection, name: str) -> Table:
    return Table(name, MetaData(), autoload_with=connection)


def _ledger(revision: str) -> Rows:
    """Return what a ledger of that revision held; programs of some wrote as those before."""
    by = {"0001": None, "0002": "0002", "0003": "0002", "0004": "0004", "0005": "0004"}
    written_by = by.get(revision, "0006")
    if written_by is None:
        return {}
    content = json.loads((OLD / f"ledger_{written_by}.json").read_text(encoding="utf-8"))
    tables: Rows = content["tables"]
    return {**tables, "amendment": tables.get("amendment", [])}
