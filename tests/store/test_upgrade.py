"""A database of every revision, with data in every table, is brought up to date and read by today's code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

from rollout.domain.records import Run, Side
from rollout.errors import WrongSettings
from rollout.stats.starts import live_starts
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.leadership import Leadership
from rollout.store.migrating import MIGRATIONS, configuration, migrate
from tests.domain.examples import POLICY
from tests.store import old_rows
from tests.store.databases import KINDS, Kind, server
from tests.store.old_rows import COUNTED, CURSOR, MINUTE, NOW_US
from tests.store.test_leadership import ledger_of

RUN = Run("churn-v2", 1)
REVISIONS = [step.revision for step in reversed(list(ScriptDirectory(str(MIGRATIONS)).walk_revisions()))]


Empty = tuple[Path | str, Engine]


@pytest.fixture(params=KINDS, ids=str)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Empty]:
    """Give where an empty database is, and a way into it that knows nothing of ours."""
    if request.param is Kind.FILE:
        engine = create_engine(f"sqlite:///{tmp_path / 'control.db'}")
        yield tmp_path / "control.db", engine
        engine.dispose()
        return
    name = server().create()
    engine = create_engine(server().address(name))
    yield server().address(name), engine
    engine.dispose()
    server().drop(name)


def made_at(revision: str, connection: Connection) -> None:
    """Make what a program of that revision left behind."""
    migrate(connection, "old", to=revision)
    old_rows.fill(connection, revision)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_every_revision_is_read_by_todays_code(empty: Empty, revision: str) -> None:
    address, engine = empty
    with engine.begin() as connection:
        made_at(revision, connection)
        columns = old_rows.columns_of(connection)
        before = old_rows.held(connection)
    database = Database.writer(address)
    with engine.connect() as connection:
        after = old_rows.held(connection, columns)
    for table, rows in before.items():
        # What a revision counts or writes down itself comes beside what was there.
        assert all(row in after[table] for row in rows), table
        assert len(after[table]) == len(rows) or table in {"room", "audit"}
    check_counts(database)
    check_ledger(database, revision)
    assert Leadership(database, holder="today").stand() is not None
    database.close()


def check_counts(database: Database) -> None:
    """Read what was counted, and count on."""
    counts = Counts(database)
    assert counts.cursors() == [("exposures", "n", "l", CURSOR)]
    (mark,) = counts.nodes()
    assert (mark.watermark_us, mark.bad_lines) == (NOW_US - 5, 3)
    (tally,) = counts.tallies(RUN)
    assert (tally.minute, tally.requests, tally.errors, tally.durations) == (MINUTE, 9, 2, ((3, 7),))
    assert counts.incomplete(RUN) == {"errors": 4}
    alive = live_starts(NOW_US, NOW_US - 3_000_000_000, every=600_000_000, life=3_600_000_000)
    assert counts.error_totals(RUN) == counts.errors(RUN, alive, NOW_US).totals == {("control", 1): 1}
    (limit,) = counts.thresholds()
    assert (limit.metric, limit.limit_us, limit.share, limit.side) == ("p99", 250_000, 0.05, Side.ALL)
    found, _ = counts.since_starts(limit, ["control"], alive, NOW_US)
    control = found["control"]
    assert (control.windows[0], control.fraction_nano[0]) == (3, 750_000_000)
    assert (control.sums[0].units, control.sums[0].x, control.sums[0].y) == (1, 10, 3)
    assert control.sums[-2].x == 4
    new = counts.register(RUN, "p99", limit_us=1, share=0.5, side=Side.CONTROL)
    assert new.identity > limit.identity
    with database.read() as connection:
        room = connection.execute(text("SELECT rows FROM room WHERE name = 'unit_total'")).scalar_one()
    assert room == len(COUNTED["unit_total"])


def check_ledger(database: Database, revision: str) -> None:
    """Read runs and decisions, have an audit that covers them, and go on."""
    ledger = ledger_of(database)
    if revision == "0001":
        assert ledger.served() == ()
        ledger.start(POLICY, NOW_US)
    else:
        (standing,) = ledger.runs()
        assert standing.experiment.policy.name == "churn-v2"
        history = ledger.history("00000001")
        assert standing.last == history[-1]
        assert [entry.number for entry in history] == list(range(1, len(history) + 1))
        assert ledger.record(standing, standing.experiment, None)
    found = ledger.verify()
    assert found.problems == ()
    assert found.lines > 0


def test_what_a_newer_program_wrote_is_refused_and_left_alone(empty: Empty) -> None:
    address, engine = empty
    Database.writer(address).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WrongSettings, match=r"a newer rollout has written it .revision 9999"):
        Database.writer(address)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_there_is_no_way_back_and_it_says_so(empty: Empty) -> None:
    address, engine = empty
    Database.writer(address).close()
    with (
        pytest.raises(WrongSettings, match="restore the copy from before"),
        engine.begin() as connection,
    ):
        command.downgrade(configuration(connection), "0005")
    Database.writer(address).close()
