"""What is kept in memory equals a scan of the tables, whatever came, and whenever it began to follow."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from bench.fast.asking import Asking
from rollout.domain.records import Digest, Side
from rollout.stats import starts
from rollout.stats.starts import Starts
from rollout.store.changes import ArmWindow
from rollout.store.counts import LARGEST_TABLE, Counts, Told
from rollout.store.database import Database
from rollout.store.live import Live
from rollout.store.reading import Reading
from tests.store.databases import Kind
from tests.store.worlds import ARMS, BEGIN_US, LOG, RUNS, World

SECOND_US = 1_000_000
STARTED_US = (BEGIN_US - 4_321 * SECOND_US - 7, BEGIN_US - 55 * SECOND_US, BEGIN_US + 700 * SECOND_US)


@dataclass
class Seen:
    """How much a comparison was about, so that it is not about nothing."""

    outages: int = 0
    since: int = 0
    units: int = 0


def alive_at(now_us: int, number: int, every_s: int) -> Starts:
    begin_us = min(STARTED_US[number], now_us)
    return starts.live_starts(now_us, begin_us, every=every_s * SECOND_US, life=3600 * SECOND_US)


def agree(counts: Counts, asking: Asking, now_us: int, seen: Seen) -> None:
    """Compare everything that a look is told, of every run that lacks nothing, with what the tables say."""
    for number, run in enumerate(RUNS):
        if counts.incomplete(run):
            continue
        alive = alive_at(now_us, number, 10)
        found, expected = counts.errors(run, alive, now_us), asking.errors(run, alive, now_us)
        assert {key: n for key, n in found.totals.items() if n} == expected.totals
        assert found.recent == expected.recent
        since = {key: n.tolist() for key, n in found.since.items() if n.any()}
        assert since == {key: n.tolist() for key, n in expected.since.items() if n.any()}
        seen.since += len(since)
    for threshold in counts.thresholds():
        if counts.incomplete(threshold.run):
            continue
        alive = alive_at(now_us, RUNS.index(threshold.run), 600)
        arms = ARMS[:3] if threshold.side is Side.ALL else ("control/1", "candidate1/1")
        got, outages = counts.since_starts(threshold, arms, alive, now_us)
        wanted, minutes = asking.since_starts(threshold, arms, alive, now_us)
        assert outages == minutes
        assert got == wanted
        seen.outages += len(outages)
        seen.units += sum(one.sums[-1].units for one in got.values())


@pytest.mark.parametrize(
    ("address", "seed", "rows", "steps"),
    [
        *((Kind.FILE, seed, rows, 40) for seed, rows in ((0, LARGEST_TABLE), (1, LARGEST_TABLE))),
        *((Kind.FILE, seed, rows, 40) for seed, rows in ((2, 150), (3, 60))),
        (Kind.POSTGRES, 1, LARGEST_TABLE, 13),
        (Kind.POSTGRES, 2, 50, 13),
    ],
    indirect=["address"],
)
def test_memory_equals_a_scan_of_the_tables(database: Database, seed: int, rows: int, steps: int) -> None:
    seen = Seen()
    world, counts, asking = World(seed), Counts(database, rows=rows), Asking(database)
    world.register(counts)
    for number in range(steps):
        world.step(counts)
        if number % 11 == 10:
            counts = Counts(database, rows=rows)  # a restart: memory begins anew, from the tables
        if world.chance.random() < 0.8:
            agree(counts, asking, world.now_us, seen)
    assert min(seen.outages, seen.since, seen.units) > 0
    assert (rows == LARGEST_TABLE) == (not any(counts.incomplete(run) for run in RUNS))


@pytest.mark.parametrize("address", [Kind.FILE], indirect=True)
def test_a_look_sees_whole_segments_while_others_are_added(database: Database) -> None:
    stop = threading.Event()
    wrong: list[object] = []
    counts = Counts(database)
    limit = counts.register(RUNS[0], "p99", limit_us=9, share=0.5)
    alive = alive_at(BEGIN_US, 0, 600)

    def read() -> None:
        last = 0
        while not stop.is_set():
            found, _ = counts.since_starts(limit, ["control", "candidate1"], alive, BEGIN_US)
            one, other = (found[arm].sums[0] for arm in ("control", "candidate1"))
            # Every segment adds a unit to both arms, with as many requests.
            if (one.units, one.x, one.xx) != (other.units, other.x, other.xx) or one.units < last:
                wrong.append((one, other))
            last = one.units

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(120):
        window = BEGIN_US // 10_000_000 - number % 50
        rows = tuple((limit.identity, arm, number, window, 3, 1) for arm in ("control", "candidate1"))
        told = Told("exposures", "node", LOG, number, number + 1, BEGIN_US, 0)
        counts.add(told, Digest(windows=rows), BEGIN_US)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    found, _ = counts.since_starts(limit, ["control"], alive, BEGIN_US)
    assert found["control"].sums[0].units == 120


def follow_nonsense(live: Live, limit: int) -> None:
    """Hand on what no transaction says, so that following it ends half-way."""
    units: int = None  # type: ignore[assignment]  # that is the nonsense
    with live.following() as changes:
        changes.arm_windows.append(ArmWindow(limit, "control", 1, units, 0, 0, 0))


def test_what_cannot_be_followed_is_read_anew(database: Database) -> None:
    world, counts = World(5), Counts(database)
    world.register(counts)
    for _ in range(5):
        world.step(counts)
    (limit, *_) = counts.thresholds()
    live, alive = Live(Reading(database)), alive_at(world.now_us, 0, 600)
    before = live.since_starts(limit, ARMS[:2], alive, world.now_us)
    with pytest.raises(TypeError):
        follow_nonsense(live, limit.identity)
    assert live.since_starts(limit, ARMS[:2], alive, world.now_us) == before


def test_a_transaction_that_fails_changes_nothing_in_memory(database: Database) -> None:
    def dies() -> None:
        raise OSError("the disk is full")

    world, counts, asking = World(6), Counts(database), Asking(database)
    world.register(counts)
    for _ in range(4):
        world.step(counts)
    agree(counts, asking, world.now_us, Seen())
    digest = Digest(windows=((counts.thresholds()[0].identity, "control", 1, BEGIN_US // 10_000_000, 9, 9),))
    told = Told("exposures", "node", LOG, world.start, world.start + 1, 0, 0)
    with pytest.raises(OSError, match="full"):
        counts.add(told, digest, world.now_us, before_commit=dies)
    agree(counts, asking, world.now_us, Seen())


def test_runs_that_nobody_asks_about_are_forgotten_and_read_again_when_somebody_does(
    database: Database,
) -> None:
    world, counts, asking = World(7), Counts(database), Asking(database)
    world.register(counts)
    world.step(counts)
    empty = counts.nbytes
    agree(counts, asking, world.now_us, Seen())
    followed = counts.nbytes
    assert followed > empty
    for _ in range(3):
        world.now_us += 700 * SECOND_US
        told = Told("exposures", "node", LOG, world.start, world.start, world.now_us, 0)
        counts.add(told, Digest(), world.now_us)
    assert counts.nbytes == empty
    agree(counts, asking, world.now_us, Seen())


def test_ended_runs_make_room_and_the_others_keep_all_they_have(database: Database) -> None:
    world, counts, asking = World(8), Counts(database), Asking(database)
    world.register(counts)
    for _ in range(6):
        world.step(counts)
    everything = (RUNS[0], RUNS[2])
    counts.retire(everything, world.now_us)
    assert counts.error_totals(RUNS[1]), "its last requests came within the hour"
    kept = {run: counts.error_totals(run) for run in everything}
    world.now_us += 2 * 3600 * SECOND_US
    counts.retire(everything, world.now_us)
    assert counts.error_totals(RUNS[1]) == {}
    assert counts.request_totals(RUNS[1]), "minutes are for display"
    assert {run: counts.error_totals(run) for run in everything} == kept
    assert {limit.run for limit in counts.thresholds()} == set(everything)
    for table in ("error_unit", "error_event", "unit_window", "unit_total"):
        assert rows_and_room(database, table)[0] == rows_and_room(database, table)[1]
    gone = Digest(windows=((2, "control", 1, world.now_us // 10_000_000, 9, 9),))
    told = Told("exposures", "node", LOG, world.start, world.start + 1, 0, 0)
    assert counts.add(told, gone, world.now_us) == world.start + 1, "of a limit that is no more"
    agree(counts, asking, world.now_us, Seen())


def rows_and_room(database: Database, table: str) -> tuple[int, int]:
    with database.read() as connection:
        rows = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608
        room = connection.execute(text("SELECT rows FROM room WHERE name = :name"), {"name": table})
        return int(rows), int(room.scalar_one_or_none() or 0)
