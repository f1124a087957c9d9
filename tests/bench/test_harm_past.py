"""Quiet days written into a closed house: what its counts, its lake and its ledger then say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from bench.harm.past import SECOND_US, WEEK_S, Past, until_now, week
from bench.harm.settings import SETTINGS, policy_of, policy_text
from rollout.domain.records import BASELINE_SERVED, Run
from rollout.policyfile.digest import digest
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger

ENDS_US = 1_800_000_000 * SECOND_US
TEXT = policy_text("old", SETTINGS[1], baseline="http://127.0.0.1:1", candidate="http://127.0.0.1:2")


def test_a_week_has_no_gap_and_ends_at_full_rate() -> None:
    cuts = [cut for span in week(ENDS_US, 500.0) for cut in span.cuts()]
    assert all(earlier[1] == later[0] for earlier, later in pairwise(cuts))
    assert (cuts[0][0], cuts[-1][1]) == (ENDS_US - WEEK_S * SECOND_US, ENDS_US)
    assert week(ENDS_US, 500.0)[-1].per_second == 500.0


def test_the_past_is_filed_and_counted_as_of_its_time_and_can_go_on(tmp_path: Path) -> None:
    policy = policy_of(TEXT)
    began_us, middle_us = ENDS_US - 120 * SECOND_US, ENDS_US - 50 * SECOND_US
    with Past(tmp_path, policy) as writing:
        writing.begin(TEXT, began_us)
        first = writing.fill(until_now(began_us, middle_us, 100.0))
    with Past(tmp_path, policy) as writing:
        second = writing.fill(until_now(middle_us, ENDS_US, 100.0))
    database = Database.writer(tmp_path / "control.db")
    counts, run = Counts(database), Run("old", 1)
    [standing] = SqlLedger(database, new_uid=str, digest=digest).runs()
    assert standing.experiment.started_us == began_us
    totals = counts.request_totals(run)
    assert sum(requests for requests, _ in totals.values()) == first + second
    requests, errors = totals["candidate1"]
    assert 0.03 < requests / (first + second) < 0.07
    assert 0 < sum(failed for _, failed in totals.values()) < 0.02 * (first + second)
    # Units count once, under the split that was live; their errors are the totals' own, or fewer.
    firsts = counts.error_totals(run)
    assert {split for _, split in firsts} == {1}
    assert firsts.get(("candidate1", 1), 0) <= errors
    assert sum(units for (arm, _), units in firsts.items() if arm in BASELINE_SERVED) > 0
    assert {one.watermark_us for one in counts.nodes()} == {ENDS_US}
    database.close()
