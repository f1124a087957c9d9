"""What is kept in memory equals a scan of the tables, whatever came, and whenever it began to follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fast.asking import Asking
from rollout.domain.records import Side
from rollout.stats import starts
from rollout.store.counts import Counts
from rollout.store.database import Database
from tests.store.worlds import ARMS, BEGIN_US, RUNS, World

SECOND_US = 1_000_000
STARTED_US = (BEGIN_US - 4_321 * SECOND_US - 7, BEGIN_US - 55 * SECOND_US, BEGIN_US + 700 * SECOND_US)


def agree(counts: Counts, asking: Asking, now_us: int) -> None:
    """Compare everything that a look is told, of every run, with what the tables say."""
    for run, started_us in zip(RUNS, STARTED_US, strict=True):
        begin_us = min(started_us, now_us)
        alive = starts.live_starts(now_us, begin_us, every=10 * SECOND_US, life=3600 * SECOND_US)
        found, expected = counts.errors(run, alive, now_us), asking.errors(run, alive, now_us)
        assert {key: n for key, n in found.totals.items() if n} == expected.totals
        assert found.recent == expected.recent
        since = {key: n.tolist() for key, n in found.since.items() if n.any()}
        assert since == {key: n.tolist() for key, n in expected.since.items() if n.any()}
    for threshold in counts.thresholds():
        begin_us = min(STARTED_US[RUNS.index(threshold.run)], now_us)
        alive = starts.live_starts(now_us, begin_us, every=600 * SECOND_US, life=3600 * SECOND_US)
        arms = ARMS[:3] if threshold.side is Side.ALL else ("control/1", "candidate1/1")
        got, outages = counts.since_starts(threshold, arms, alive, now_us)
        wanted, minutes = asking.since_starts(threshold, arms, alive, now_us)
        assert outages == minutes
        for arm in arms:
            one, other = got[arm], wanted[arm]
            assert (one.windows, one.fraction_nano, one.sums) == (
                other.windows,
                other.fraction_nano,
                other.sums,
            )
            assert one.has_ended_units == other.has_ended_units


@pytest.mark.parametrize("seed", range(6))
def test_memory_equals_a_scan_of_the_tables(seed: int, tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    world, counts, asking = World(seed), Counts(database), Asking(database)
    world.register(counts)
    try:
        for number in range(60):
            world.step(counts)
            if number % 7 == 6:
                counts = Counts(database)  # a restart: memory begins anew, from the tables
            if world.chance.random() < 0.8:
                agree(counts, asking, world.now_us)
    finally:
        database.close()
