"""Writing the audit: a line for each act, in the transaction of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from sqlalchemy import Connection, Row, Table, insert, select, text
from sqlmodel import SQLModel, inspect

from rollout.domain.audit import Act, Line, row_digest
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.store.audit_tables import AuditRow
from rollout.store.ledger_tables import AmendmentRow, DecisionRow, RevisionRow

COVERED: Final[tuple[type[SQLModel], ...]] = (RevisionRow, AmendmentRow, DecisionRow)
"""Tables of which each row has its line; rows are added to them, and never changed."""
AUDIT: Final = cast("Table", inspect(AuditRow).local_table)
_NEW: Final = insert(AUDIT)
_CONTROLLER: Final = "controller"
_NOBODY: Final = "rollout"
_HEAD: Final = text("SELECT number, hash FROM audit_head WHERE name = 'audit'")
_MOVE: Final = text("UPDATE audit_head SET number = :number, hash = :hash WHERE name = 'audit'")


def unasked(verb: str, policy: Policy, now_us: int) -> Act:
    """Return the act of the program itself, where nobody is named."""
    return Act(now_us, _NOBODY, None, None, verb, policy.name)


def decided(entry: Entry) -> Act:
    """Return the act that a decision is: the controller's, or that of the person whose wish it answers."""
    decision, wish = entry.decision, entry.decision.wish
    who, why = (_CONTROLLER, decision.reason.meaning) if wish is None else (wish.who, wish.why)
    return Act(entry.at_us, who, None, None, decision.action.value, entry.policy.name, why)


def add(connection: Connection, act: Act, row: SQLModel | None = None) -> Line:
    """Write down an act, and with it what the row says that it added; only in a writing transaction."""
    before = connection.execute(_HEAD).one()
    name, content = (None, None) if row is None else _vouched(row)
    bare = Line(before.number + 1, act, name, content, before.hash, "")
    line = replace(bare, hash=bare.own_hash)
    connection.execute(_NEW, _values(line))
    connection.execute(_MOVE, {"number": line.number, "hash": line.hash})
    return line


def lines(connection: Connection, *, after: int, limit: int) -> tuple[Line, ...]:
    """Return so many lines after one of them, in their order."""
    asked = select(AUDIT).where(AUDIT.c.number > after).order_by(AUDIT.c.number).limit(limit)
    return tuple(_line(row) for row in connection.execute(asked))


def table_of(kind: type[SQLModel]) -> Table:
    """Return the table of a kind of row."""
    return cast("Table", inspect(kind).local_table)


def row_name(table: Table, row: Mapping[str, object]) -> str:
    """Return the name of a row: the table's, and each part of its key."""
    return " ".join([table.name, *(str(row[column.name]) for column in table.primary_key)])


def _vouched(row: SQLModel) -> tuple[str, str]:
    """Return a row's name and the digest of what it says."""
    table, said = table_of(type(row)), row.model_dump()
    return row_name(table, said), row_digest(table.name, said)


def _values(line: Line) -> dict[str, object]:
    act = line.act
    return {
        "number": line.number,
        "at_us": act.at_us,
        "who": act.who,
        "token": act.token,
        "origin": act.origin,
        "verb": act.verb,
        "subject": act.subject,
        "why": act.why,
        "about": line.about,
        "content": line.content,
        "previous": line.previous,
        "hash": line.hash,
    }


def _line(row: Row[Any]) -> Line:
    act = Act(row.at_us, row.who, row.token, row.origin, row.verb, row.subject, row.why)
    return Line(row.number, act, row.about, row.content, row.previous, row.hash)
