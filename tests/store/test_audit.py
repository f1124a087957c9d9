"""The audit: every act has its line, and whatever is changed behind it is found and named."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from rollout.domain.audit import Act, Line
from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Experiment
from rollout.domain.revise import revise
from rollout.domain.wish import Asked, Wish
from rollout.policyfile.digest import digest
from rollout.store import audit
from rollout.store.audit import Head, verify
from rollout.store.audit_tables import AuditRow
from rollout.store.auditing import COVERED, table_of
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.contracts.ledger import entry, moved, resting_on
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US
from tests.store.test_basis import record as record_with_basis

ACT = Act(NOW_US, "ann", "ann-laptop", "10.0.0.7", "start", POLICY.name, "the new ranker")
TRIGGERS = {
    "sqlite": ("DROP TRIGGER audit_is_kept_update", "DROP TRIGGER audit_is_kept_delete"),
    "postgresql": ("ALTER TABLE audit DISABLE TRIGGER USER", "SET CONSTRAINTS ALL DEFERRED"),
}
FOREIGN_KEYS = {
    "sqlite": "PRAGMA defer_foreign_keys = ON",
    "postgresql": "SET LOCAL session_replication_role = replica",
}


def ledger_of(database: Database) -> SqlLedger:
    numbers = count(1)
    return SqlLedger(database, new_uid=lambda: f"{next(numbers):08d}", digest=digest)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    """Give a run that was started, amended, wished about, revised and decided on: seven acts in all."""
    ledger = ledger_of(database)
    ledger.start(POLICY, NOW_US, text="kind: RolloutPolicy\n", act=ACT)
    (seen,) = ledger.runs()
    assert ledger.record(seen, moved(seen.experiment), entry(1))
    (seen,) = ledger.runs()
    amended = replace(seen.experiment, policy=replace(POLICY, owner="others"))
    assert ledger.revise(seen, amended, NOW_US + 1, act=replace(ACT, verb="revise", why="it moved"))
    (seen,) = ledger.runs()
    wish = Wish("ben", "lunch", NOW_US + 2, Asked.PAUSE)
    wishing = replace(seen.experiment, wish=wish)
    assert ledger.record(seen, wishing, None, act=replace(ACT, who="ben", verb="pause", why="lunch"))
    (seen,) = ledger.runs()
    answer = replace(
        resting_on(seen.experiment, entry(2)), decision=Decision(Reason.PERSON_PAUSES, "converted", 2, wish)
    )
    assert ledger.record(seen, replace(seen.experiment, wish=None), answer)
    (seen,) = ledger.runs()
    revised = revise(seen.experiment, replace(amended.policy, holdout_bp=200), NOW_US + 3)
    assert isinstance(revised, Experiment)
    assert ledger.revise(seen, revised, NOW_US + 3)
    (seen,) = ledger.runs()
    assert ledger.record(seen, seen.experiment, resting_on(seen.experiment, entry(3)))
    return ledger


class Undone(Exception):
    """Ends a transaction that must leave nothing."""


@contextmanager
def tampering(database: Database) -> Iterator[Connection]:
    """Yield a connection on which everything is allowed; nothing of it stays."""

    def tampered() -> Iterator[Connection]:
        with database.write() as connection:
            kind = connection.dialect.name
            for statement in (*TRIGGERS[kind], FOREIGN_KEYS[kind]):
                connection.execute(text(statement))
            yield connection
            raise Undone

    steps = tampered()
    yield next(steps)
    with pytest.raises(Undone):
        next(steps)


def named(connection: Connection, *, known: Head | None = None) -> set[str]:
    """Return where problems are."""
    found = verify(connection, known=known)
    assert found.found == len(found.problems)
    return {problem.where for problem in found.problems}


def test_every_act_has_its_line_with_who_when_why_and_from_where(ledger: SqlLedger) -> None:
    found = ledger.acts()
    assert [line.number for line in found] == list(range(1, 8))
    assert found[0].act == ACT
    said = [(line.act.who, line.act.verb, line.about) for line in found]
    assert said == [
        ("ann", "start", "revision 00000001 1"),
        ("controller", "hold", "decision 00000001 1"),
        ("ann", "revise", "amendment 00000001 1 1"),
        ("ben", "pause", None),
        ("ben", "pause", "decision 00000001 2"),
        ("rollout", "revise", "revision 00000001 2"),
        ("controller", "hold", "decision 00000001 3"),
    ]
    assert found[4].act.why == "lunch"
    assert found[1].act.why == Reason.STEP_UNFINISHED.meaning
    assert [line.previous for line in found[1:]] == [line.hash for line in found[:-1]]
    assert ledger.acts(after=3, limit=2) == found[3:5]


def test_what_nobody_touched_is_well(ledger: SqlLedger) -> None:
    newest = ledger.acts()[-1]
    found = ledger.verify(known=Head(newest.number, newest.hash))
    assert (found.lines, found.found, found.problems) == (7, 0, ())
    assert found.newest == Head(newest.number, newest.hash)


def test_a_line_is_in_the_transaction_of_what_was_done(ledger: SqlLedger) -> None:
    (seen,) = ledger.runs()
    stale = replace(seen, version=seen.version - 1)
    assert not ledger.record(stale, seen.experiment, resting_on(seen.experiment, entry(4)), act=ACT)
    with pytest.raises(Exception, match="running"):
        ledger.start(POLICY, NOW_US, act=ACT)
    assert len(ledger.acts()) == 7
    assert ledger.verify().found == 0


@pytest.mark.parametrize("change", ["UPDATE audit SET who = 'eve'", "DELETE FROM audit WHERE number = 7"])
def test_the_database_itself_refuses_to_change_a_line(
    ledger: SqlLedger, database: Database, change: str
) -> None:
    with pytest.raises(DBAPIError, match="only added to"), database.write() as connection:
        connection.execute(text(change))
    assert ledger.verify().found == 0


def names_line(found: set[str], number: int) -> bool:
    """Return whether a line is named, by itself or among several."""
    numbers = (
        [int(part) for part in where.split() if part.isdecimal()] for where in found if "line" in where
    )
    return any(several[0] <= number <= several[-1] for several in numbers)


def other(value: object) -> object:
    """Return another value of the same kind."""
    return value + 1_000 if isinstance(value, int) else f"{value}x"


def test_a_change_of_any_column_of_any_line_is_found(ledger: SqlLedger, database: Database) -> None:
    columns = [column.name for column in table_of(AuditRow).columns]
    for line in ledger.acts():
        for column in columns:
            with tampering(database) as connection:
                values = connection.execute(text(f"SELECT {column} FROM audit WHERE number = {line.number}"))  # noqa: S608
                change(connection, "audit", column, values.scalar_one(), f"number = {line.number}")
                assert names_line(named(connection), line.number), column


def test_a_change_of_any_column_of_any_row_that_a_line_vouches_for_is_found(
    ledger: SqlLedger, database: Database
) -> None:
    checked = 0
    for table in map(table_of, COVERED):
        keys = [column.name for column in table.primary_key]
        with database.read() as connection:
            rows = [dict(row) for row in connection.execute(table.select()).mappings()]
        for row in rows:
            where = " AND ".join(f"{key} = '{row[key]}'" for key in keys)
            for column, value in row.items():
                with tampering(database) as connection:
                    change(connection, table.name, column, value, where)
                    assert " ".join([table.name, *(str(row[key]) for key in keys)]) in named(connection)
                    checked += 1
    assert checked > 60
    assert ledger.verify().found == 0


def change(connection: Connection, table: str, column: str, value: object, where: str) -> None:
    """Put another value there, whatever stands there."""
    wanted = other(value) if value is not None else 7 if column in {"arm", "watermark_us"} else "x"
    statement = text(f"UPDATE {table} SET {column} = :wanted WHERE {where}")  # noqa: S608
    assert connection.execute(statement, {"wanted": wanted}).rowcount == 1


Tamper = Callable[[Connection], None]


def does(*statements: str) -> Tamper:
    """Return what carries out some statements."""

    def tamper(connection: Connection) -> None:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0

    return tamper


HEAD_TO_4 = (
    "UPDATE audit_head SET number = 4, hash = (SELECT hash FROM audit WHERE number = 4) WHERE name = 'audit'"
)
CUT_AFTER_4 = "DELETE FROM audit WHERE number > 4"


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (does("DELETE FROM audit WHERE number = 3"), {"audit line 3", "amendment 00000001 1 1"}),
        (
            does("DELETE FROM audit WHERE number IN (3, 4)"),
            {"audit lines 3 to 4", "amendment 00000001 1 1"},
        ),
        (
            does(
                "UPDATE audit SET number = 99 WHERE number = 2",
                "UPDATE audit SET number = 2 WHERE number = 3",
                "UPDATE audit SET number = 3 WHERE number = 99",
            ),
            {"audit line 2", "audit line 3"},
        ),
        (does(CUT_AFTER_4), {"audit lines 5 to 7", "decision 00000001 2", "decision 00000001 3"}),
        (does(CUT_AFTER_4, HEAD_TO_4), {"decision 00000001 2", "decision 00000001 3", "revision 00000001 2"}),
        (
            does(CUT_AFTER_4, HEAD_TO_4, "DELETE FROM decision WHERE number > 1"),
            {"run 00000001", "revision 00000001 2"},
        ),
        (does("DELETE FROM decision WHERE number = 2"), {"decision 00000001 2", "run 00000001"}),
        (does("DELETE FROM revision WHERE revision = 1"), {"revision 00000001 1"}),
        (does("DELETE FROM audit_head"), {"audit head"}),
        (does("UPDATE audit_head SET hash = 'x'"), {"audit line 7"}),
        (does("UPDATE audit_head SET number = 9"), {"audit lines 8 to 9"}),
        (does("UPDATE audit_head SET number = 6"), {"audit line 7"}),
        (does("UPDATE audit SET number = 0 WHERE number = 1"), {"audit line 0", "audit line 1"}),
    ],
)
def test_what_is_missing_moved_or_cut_off_is_named(
    ledger: SqlLedger, database: Database, tamper: Tamper, expected: set[str]
) -> None:
    with tampering(database) as connection:
        tamper(connection)
        assert expected <= named(connection)
    assert ledger.verify().found == 0


def test_what_a_decision_rests_on_is_compared_with_the_decision(database: Database) -> None:
    ledger = ledger_of(database)
    ledger.start(POLICY, NOW_US)
    for number in (1, 2):
        assert record_with_basis(ledger) == number
    assert ledger.verify().found == 0
    with tampering(database) as connection:
        connection.execute(text("UPDATE basis SET content = :other WHERE number = 1"), {"other": b"no basis"})
        assert named(connection) == {"basis 00000001 1"}
    with tampering(database) as connection:
        content = zlib.compress(b'{"before":{},"after":{}}')
        connection.execute(text("UPDATE basis SET content = :other WHERE number = 2"), {"other": content})
        assert named(connection) == {"basis 00000001 2"}


def rewritten(line: Line, previous: str, who: str) -> Line:
    """Return a line by another person, with a hash that fits."""
    bare = replace(line, act=replace(line.act, who=who), previous=previous)
    return replace(bare, hash=bare.own_hash)


def put(connection: Connection, line: Line) -> None:
    statement = text("UPDATE audit SET who = :who, previous = :previous, hash = :hash WHERE number = :number")
    row = {"who": line.act.who, "previous": line.previous, "hash": line.hash, "number": line.number}
    connection.execute(statement, row)


def test_a_line_with_a_hash_made_anew_does_not_fit_its_neighbours(
    ledger: SqlLedger, database: Database
) -> None:
    lines = ledger.acts()
    for line in lines:
        with tampering(database) as connection:
            put(connection, rewritten(line, line.previous, "eve"))
            after = min(line.number + 1, len(lines))
            assert named(connection) == {f"audit line {after}"}


def test_who_rewrites_everything_is_found_only_by_a_line_noted_elsewhere(
    ledger: SqlLedger, database: Database
) -> None:
    lines = ledger.acts()
    noted = Head(lines[4].number, lines[4].hash)
    with tampering(database) as connection:
        previous = ""
        for line in lines:
            forged = rewritten(line, previous, "eve")
            put(connection, forged)
            previous = forged.hash
        connection.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": previous})
        assert named(connection) == set(), "the database has no secret: it cannot tell"
        assert named(connection, known=noted) == {"audit line 5"}
    with tampering(database) as connection:
        connection.execute(text(CUT_AFTER_4))
        assert "audit line 5" in named(connection, known=noted)


def test_a_long_audit_is_walked_page_by_page_and_problems_are_counted_beyond_those_that_are_named(
    ledger: SqlLedger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    monkeypatch.setattr(audit, "MOST", 3)
    assert ledger.verify().found == 0
    with tampering(database) as connection:
        connection.execute(text("UPDATE audit SET why = 'x'"))
        found = verify(connection)
        assert (found.lines, found.found, len(found.problems)) == (7, 7, 3)
