"""The real ledger keeps the contract, survives its process, and says whose decision a row is."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from rollout.domain.buckets import Range
from rollout.domain.experiment import Experiment, placement_of
from rollout.domain.revise import revise
from rollout.errors import Stop
from rollout.policyfile.digest import digest
from rollout.ports import Unread
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.contracts.ledger import LedgerContract, StartingLedger, entry, moved
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US


def ledger_of(database: Database) -> SqlLedger:
    numbers = count(1)
    return SqlLedger(database, new_uid=lambda: f"{next(numbers):08d}", digest=digest)


class TestSqlLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, database: Database) -> StartingLedger:
        return ledger_of(database)


def test_another_process_reads_what_was_recorded(address: Path | str) -> None:
    first = Database.writer(address)
    ledger = ledger_of(first)
    seen = ledger.start(POLICY, NOW_US)
    assert ledger.record(seen, moved(seen.experiment), entry(1))
    recorded = ledger.runs()
    first.close()
    second = Database.writer(address)
    assert ledger_of(second).runs() == recorded
    assert ledger_of(second).history(seen.experiment.uid) == (entry(1),)
    second.close()


def test_a_run_that_lost_its_route_between_two_questions_is_not_served(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(database)
    uid = ledger.start(POLICY, NOW_US).experiment.uid
    version = database.glance(text("SELECT version FROM experiment WHERE uid = :uid"), uid=uid)
    with database.write() as connection:
        connection.execute(text("UPDATE experiment SET is_served = :no"), {"no": False})
    assert ledger.run(uid) is None
    monkeypatch.setattr(Database, "glance", lambda *_, **__: version)
    assert ledger_of(database).run(uid) is None


def test_a_decision_names_the_policy_that_it_rests_on(database: Database) -> None:
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US, text="kind: RolloutPolicy\n")
    assert ledger.record(seen, seen.experiment, entry(1))
    with database.read() as connection:
        (row,) = connection.execute(
            text("SELECT action, reason, phase, policy_digest, text FROM decision JOIN revision USING (uid)")
        )
    assert tuple(row) == (
        "hold",
        "STEP_UNFINISHED",
        "running",
        digest(POLICY),
        "kind: RolloutPolicy\n",
    )


def test_a_run_has_the_range_of_its_layer_from_its_start_and_an_older_row_has_none(
    database: Database,
) -> None:
    ledger = ledger_of(database)
    first = ledger.start(POLICY, NOW_US, layer_range=Range(1_000, 5_000))
    ledger.start(replace(POLICY, name="older"), NOW_US)
    with database.write() as connection:
        without = text("UPDATE experiment SET state = replace(state, :gone, '')")
        connection.execute(without, {"gone": ',"layer_range":null'})
    assert [one.experiment.layer_range for one in ledger_of(database).runs()] == [Range(1_000, 5_000), None]
    assert placement_of(first.experiment).layer_range == Range(1_000, 5_000)


def test_every_policy_that_a_run_had_is_kept(database: Database) -> None:
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US, text="first")
    policies = [replace(POLICY, owner="others"), replace(POLICY, owner="yet others")]
    for policy in policies:
        (seen,) = ledger.runs()
        assert ledger.revise(seen, replace(seen.experiment, policy=policy), NOW_US + 1, text=policy.owner)
    (seen,) = ledger.runs()
    revised = revise(seen.experiment, replace(policies[-1], holdout_bp=200), NOW_US + 2)
    assert isinstance(revised, Experiment)
    assert ledger.revise(seen, revised, NOW_US + 2, text="second")
    assert ledger_of(database).runs()[0].experiment == revised
    with database.read() as connection:
        revisions = connection.execute(text("SELECT revision, began_us, text FROM revision")).all()
        amendments = connection.execute(text("SELECT revision, number, at_us, text FROM amendment")).all()
    assert [tuple(row) for row in revisions] == [(1, NOW_US, "first"), (2, NOW_US + 2, "second")]
    assert [tuple(row) for row in amendments] == [
        (1, 1, NOW_US + 1, "others"),
        (1, 2, NOW_US + 1, "yet others"),
    ]


def test_of_many_threads_one_records_each_version(database: Database) -> None:
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US)
    won: list[int] = []

    def try_to_record(number: int) -> None:
        run = replace(seen.experiment, latches={"converted": float(number)})
        if ledger.record(seen, run, entry(1)):
            won.append(number)

    threads = [threading.Thread(target=try_to_record, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (run,) = ledger.runs()
    assert run.experiment.latches == {"converted": float(won[0])}
    assert len(won) == 1


@pytest.mark.parametrize(
    "change",
    [
        "experiment SET state = '{}'",
        "experiment SET state = replace(state, 'running', 'dancing')",
        "experiment SET entries = 7",
        "revision SET policy = '{}'",
    ],
)
def test_a_row_that_was_not_written_here_is_named_and_hides_no_other(database: Database, change: str) -> None:
    ledger = ledger_of(database)
    ledger.start(POLICY, NOW_US)
    well = ledger.start(replace(POLICY, name="well"), NOW_US)
    with database.write() as connection:
        connection.execute(text(f"UPDATE {change} WHERE uid = '00000001'"))
    ledger = ledger_of(database)
    unread, readable = ledger.served()
    assert isinstance(unread, Unread)
    assert (unread.uid, unread.name, readable) == ("00000001", POLICY.name, well)
    assert "start that one again" in str(unread.problem)
    assert ledger.runs() == (well,)
    assert ledger.run(well.experiment.uid) == well
    with pytest.raises(Stop, match=f"00000001 .{POLICY.name}."):
        ledger.run("00000001")
