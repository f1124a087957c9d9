"""What a decision rests on stands beside it, whole; a change of it is found, and what fades is bounded."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from rollout import __version__
from rollout.domain.basis import Basis, Query, is_kept_for_ever, settled
from rollout.domain.decision import Decision, Reason
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment, JobState
from rollout.domain.history import Entry
from rollout.domain.job import JobReport
from rollout.domain.judge import Patience
from rollout.domain.quality import Feed, Gap, Loss, Quality, Reports, Told
from rollout.domain.replay import replay
from rollout.domain.wish import Wish
from rollout.errors import Stop
from rollout.ports import Standing
from rollout.store.array_json import WrongArray, array_of, plain_array
from rollout.store.basis_rows import KEPT_ENTRIES, KEPT_US, basis_of, packed, text_of
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from rollout.store.ledger_json import Unreadable
from tests.domain.batches import EVERYTHING, Draws, only
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US, evidence, judgement
from tests.domain.test_replay import recorded
from tests.store.databases import Kind
from tests.store.test_ledger import ledger_of

QUALITY = Quality(
    feeds=(Feed("n1", "exposures", NOW_US, NOW_US, 3), Feed("n2", "outcomes", None, NOW_US)),
    gaps=(Gap("exposures", "n1", "a" * 32, 10, 20),),
    losses=(Loss("outcomes", "n2", 7, NOW_US),),
    units=40_000,
    two_armed=3,
    ahead=1,
    told={"converted": Told(900, 1, 2, 3)},
    reports={
        "converted": Reports(NOW_US, np.array([1, 2]), np.array([0, 1]), np.array([0.1, -np.inf])),
    },
    unmeasured={"gpu": "Prometheus: does not answer"},
)


def rich(*, starts: int = 7, blocks: int = 4) -> Evidence:
    """Return a look at which something is known of everything."""
    draws = Draws(np.random.default_rng(7), 1, blocks=blocks, starts=starts, days=14)
    look: Evidence = only(draws.look(EVERYTHING), 0, replicates=1)
    return settled(replace(look, quality=QUALITY))


def full_basis(after: Experiment = EXPERIMENT, seen: Evidence | None = None) -> Basis:
    """Return a basis of which every field says something."""
    return Basis(
        program="0.9",
        before=EXPERIMENT,
        after=after,
        patience=Patience(1, 2),
        evidence=seen or rich(),
        job=JobReport(JobState.RUNNING, "step 3 of 5", "3/5", "https://argo/x", NOW_US),
        traffic_is_live=True,
        window_is_open=False,
        queries=(Query("gpu", 1, 'max(gpu{v="2.0.0"})', 1, 2, 30_000),),
        problems=("the lake: does not answer; ask again",),
    )


def look_of(seen: Standing, number: int, *, reason: Reason, at_us: int) -> tuple[Entry, Basis]:
    """Return an entry of a run and what it rests on."""
    run = seen.experiment
    decision = Decision(reason)
    entry = Entry(number, at_us, decision, run.phase, run.step, judgement(), NOW_US, 1, run.policy)
    return entry, replace(full_basis(seen=evidence()), before=run, after=run)


def record(ledger: SqlLedger, reason: Reason = Reason.STEP_PASSED, at_us: int = NOW_US) -> int:
    """Record one more entry of the only run, and return its number."""
    (seen,) = ledger.runs()
    number = 1 if seen.last is None else seen.last.number + 1
    entry, basis = look_of(seen, number, reason=reason, at_us=at_us)
    assert ledger.record(seen, seen.experiment, entry, basis=basis)
    return number


def test_every_field_comes_back_to_the_last_bit() -> None:
    basis = full_basis()
    again = basis_of(text_of(basis), EXPERIMENT.policy)
    assert_same_bits(again, basis)
    assert text_of(again) == text_of(basis)


def assert_same_bits(found: Any, wanted: Any) -> None:  # noqa: ANN401 (any part of a basis)
    match wanted:
        case np.ndarray():
            assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
            assert found.tobytes() == wanted.tobytes()
        case tuple():
            for one, other in zip(found, wanted, strict=True):
                assert_same_bits(one, other)
        case dict():
            assert set(found) == set(wanted)
            for name in wanted:
                assert_same_bits(found[name], wanted[name])
        case _ if is_dataclass(wanted):
            for field in fields(wanted):
                assert_same_bits(getattr(found, field.name), getattr(wanted, field.name))
        case _:
            assert found == wanted


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1, -(2**63)], [2**63 - 1, 0]]),
        np.array([0.1, -0.0, 5e-324, np.pi, np.inf, -np.inf, np.nan]),
        np.array([True, False]),
        np.array(3.5),
        np.empty((0, 4)),
        np.array([1.5, 2.5], dtype=np.float32),
    ],
)
def test_an_array_comes_back_to_the_last_bit(array: np.ndarray[Any, Any]) -> None:
    again = array_of(json.loads(json.dumps(plain_array(array))))
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize(
    "content",
    [
        {"dtype": "object", "shape": [1], "values": [1]},
        {"dtype": "int64", "shape": [2], "values": [1]},
        {"dtype": "int64", "shape": [1], "values": [2**63]},
        {"dtype": "int64", "shape": [1], "values": [True]},
        {"dtype": "float64", "shape": [1], "values": ["one"]},
        {"dtype": "no such", "shape": [1], "values": [1]},
    ],
)
def test_what_is_no_array_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(WrongArray):
        array_of(content)


def test_a_ledger_keeps_what_an_entry_rests_on(database: Database) -> None:
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US)
    entry, basis = look_of(seen, 1, reason=Reason.STEP_PASSED, at_us=NOW_US)
    assert ledger.record(seen, seen.experiment, entry, basis=basis)
    found = ledger.basis(seen.experiment.uid, 1)
    assert found is not None
    assert_same_bits(found, basis)
    assert ledger.basis(seen.experiment.uid, 2) is None


def test_an_entry_from_before_there_were_bases_has_none(database: Database) -> None:
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US)
    entry, _ = look_of(seen, 1, reason=Reason.STEP_PASSED, at_us=NOW_US)
    assert ledger.record(seen, seen.experiment, entry)
    assert ledger.basis(seen.experiment.uid, 1) is None


def test_of_two_that_saw_the_same_only_the_first_leaves_a_basis(database: Database) -> None:
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US)
    record(ledger)
    entry, basis = look_of(seen, 1, reason=Reason.GOAL_UNPROVEN, at_us=NOW_US)
    assert not ledger.record(seen, seen.experiment, entry, basis=basis)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM basis")).scalar_one() == 1


def test_a_basis_is_of_the_step_that_is_recorded(database: Database) -> None:
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US)
    entry, basis = look_of(seen, 1, reason=Reason.STEP_PASSED, at_us=NOW_US)
    other = replace(seen.experiment, latches={"converted": 3.5})
    with pytest.raises(ValueError, match="another step"):
        ledger.record(seen, other, entry, basis=basis)


def test_what_changed_nothing_fades_and_what_acted_stays_for_ever(database: Database) -> None:
    ledger = ledger_of(database)
    run = ledger.start(POLICY, NOW_US).experiment
    acted, waited = record(ledger), record(ledger, Reason.GOAL_UNPROVEN)
    record(ledger, Reason.GOAL_UNPROVEN, NOW_US + KEPT_US)
    assert ledger.basis(run.uid, waited) is not None
    record(ledger, Reason.GOAL_UNPROVEN, NOW_US + KEPT_US + 1)
    assert ledger.basis(run.uid, waited) is None
    assert ledger.basis(run.uid, acted) is not None
    assert len(ledger.history(run.uid)) == 4, "the decision itself stays"


def test_a_decision_that_a_person_asked_for_keeps_its_basis() -> None:
    wish = Wish("ann", "why not", NOW_US)
    assert is_kept_for_ever(Decision(Reason.WISH_UNFIT, wish=wish))
    kept = {reason for reason in Reason if is_kept_for_ever(Decision(reason))}
    assert {Reason.GOAL_PROVEN, Reason.METRIC_HARMED, Reason.NO_DATA_PAUSES} <= kept
    assert not {Reason.GOAL_UNPROVEN, Reason.APPROVAL_NEEDED, Reason.PAUSED} & kept


def test_a_changed_row_is_found(database: Database) -> None:
    ledger = ledger_of(database)
    uid = ledger.start(POLICY, NOW_US).experiment.uid
    record(ledger)
    basis = ledger.basis(uid, 1)
    assert basis is not None
    for content in (packed(replace(basis, traffic_is_live=False)).content, b"nothing", zlib.compress(b"{}")):
        with database.write() as connection:
            connection.execute(text("UPDATE basis SET content = :content"), {"content": content})
        with pytest.raises(Stop, match="is not what was recorded"):
            ledger.basis(uid, 1)


def test_a_changed_policy_is_found(database: Database) -> None:
    ledger = ledger_of(database)
    uid = ledger.start(POLICY, NOW_US).experiment.uid
    record(ledger)
    with database.write() as connection:
        connection.execute(text("UPDATE revision SET policy = replace(policy, 'growth-ml', 'others')"))
    with pytest.raises(Stop, match="its policy: is not what was recorded"):
        ledger.basis(uid, 1)


def test_what_a_newer_program_wrote_is_refused() -> None:
    content = json.loads(text_of(full_basis())) | {"mood": "good"}
    with pytest.raises(Unreadable, match="mood"):
        basis_of(json.dumps(content), POLICY)


REPLAY = """
import sys
from pathlib import Path
from rollout import __version__
from rollout.domain.replay import replay
from rollout.policyfile.digest import digest
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
ledger = SqlLedger(Database.reader(Path(sys.argv[1])), new_uid=str, digest=digest)
(entry,) = ledger.history(sys.argv[2])
found = replay(entry, ledger.basis(sys.argv[2], 1), None, program=__version__)
print(found.agrees, len(found.trifles), found.is_same_program)
"""


def test_another_process_comes_to_the_same(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    ledger = ledger_of(database)
    seen = ledger.start(EVERYTHING, NOW_US)
    entry, basis = recorded(seen.experiment, rich())
    assert replay(entry, basis, None, program="1.0").agrees
    assert ledger.record(seen, basis.after, entry, basis=replace(basis, program=__version__))
    database.close()
    arguments = [sys.executable, "-c", REPLAY, str(tmp_path / "control.db"), seen.experiment.uid]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout.split() == ["True", "0", "True"]


@pytest.mark.parametrize("address", [Kind.FILE], indirect=True)
def test_of_what_changed_nothing_the_newest_entries_keep_theirs(database: Database) -> None:
    ledger = ledger_of(database)
    run = ledger.start(POLICY, NOW_US).experiment
    record(ledger)
    for _ in range(KEPT_ENTRIES):
        record(ledger, Reason.GOAL_UNPROVEN)
    assert [ledger.basis(run.uid, number) is not None for number in (1, 2, KEPT_ENTRIES + 1)] == [True] * 3
    record(ledger, Reason.GOAL_UNPROVEN)
    assert [ledger.basis(run.uid, number) is not None for number in (1, 2, 3)] == [True, False, True]


def test_the_room_that_a_rich_look_takes_is_bounded() -> None:
    """Eight metrics of two candidates, four blocks, fourteen days, three hundred starts, all by chance."""
    assert len(packed(full_basis(seen=rich(starts=300))).content) < 300_000
    assert len(packed(full_basis(seen=evidence())).content) < 2_000
