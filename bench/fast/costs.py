"""A pass over all experiments' fast evidence, beside the tables asked for each; what arriving events cost."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.fast.asking import Asking
from bench.fast.workload import BEGIN_US, HOUR_S, SECOND_US, World
from bench.rows import table as as_table
from rollout.domain.experiment import Experiment
from rollout.domain.metric import MetricType
from rollout.domain.records import Digest, Run, Threshold
from rollout.intake.fast_evidence import FastEvidence
from rollout.lake.segments import Kind
from rollout.stats import starts
from rollout.store.counts import Counts, Told
from rollout.store.database import Database

GOAL_S: Final = 0.5
"""A pass over the most experiments."""
ROUNDS: Final = 5
ASKED: Final = 5
"""How many experiments the tables are asked about; all of them would take minutes."""
HISTORY_EACH_S: Final = 10
_LOG: Final = "0123456789abcdef" * 2
_LIFE_US: Final = starts.LIFE_S * SECOND_US
_KINDS: Final = (Kind.EXPOSURES.value,)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: experiments and requests a second, and for how long there was traffic before."""

    worlds: Sequence[World] = (
        World(1, 500),
        World(100, 500),
        World(1_000, 500),
        World(1, 5_000),
        World(1_000, 5_000),
    )
    history_s: int = HOUR_S
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True)
class Row:
    """One world: seconds of a pass, and of the same asked of the tables; microseconds for an event."""

    world: World
    pass_s: float
    asked_s: float
    again_s: float
    event_us: float
    memory_mb: float


def table(plan: Plan) -> list[Row]:
    """Measure every world."""
    return [_row(world, plan) for world in plan.worlds]


def _row(world: World, plan: Plan) -> Row:
    with _filled(world, plan) as (database, counts, thresholds, feed):
        runs = [world.experiment(number) for number in range(world.experiments)]
        now_us = BEGIN_US + plan.history_s * SECOND_US
        fast = FastEvidence(counts)
        look(fast, counts, runs, now_us)
        passes, added, events = [], 0.0, 0
        for number in range(plan.rounds):
            gc.collect()
            for end_us, digest in world.segments(thresholds, plan.history_s + number, 1, 1):
                added += _spent_s(lambda end_us=end_us, digest=digest: feed(end_us, digest))  # type: ignore[misc]
                events += world.per_second
                now_us = end_us
            passes.append(_spent_s(lambda: look(fast, counts, runs, now_us)))  # noqa: B023 (called at once)
        memory_mb = counts.nbytes / 1e6
        asking, some = Asking(database), runs[:ASKED]
        asked_s = _spent_s(lambda: ask(asking, counts, some, now_us)) * len(runs) / len(some)
        again = Counts(database)
        again_s = _spent_s(lambda: look(FastEvidence(again), again, runs, now_us))
    return Row(world, min(passes), asked_s, again_s, added / events * 1e6, memory_mb)


def look(fast: FastEvidence, counts: Counts, experiments: Sequence[Experiment], now_us: int) -> None:
    """Ask everything that a look asks of the fast counts, of each experiment."""
    for one in experiments:
        run = run_of(one)
        counts.watermark(now_us, kinds=_KINDS, is_fast=True)
        counts.lost(run, since_us=one.started_us)
        for metric in one.policy.metrics:
            if metric.type is MetricType.ERROR_RATE:
                fast.first_errors(one, run, now_us)
            else:
                fast.limits(one, run, metric, now_us)


def ask(asking: Asking, counts: Counts, experiments: Sequence[Experiment], now_us: int) -> None:
    """Ask the tables for the same."""
    limits = {one.run: one for one in counts.thresholds()}
    for one in experiments:
        run = run_of(one)
        begin_us = one.started_us
        every = starts.live_starts(now_us, begin_us, every=starts.EVERY_S * SECOND_US, life=_LIFE_US)
        asking.errors(run, every, now_us)
        later = starts.live_starts(now_us, begin_us, every=starts.WINDOWS_EVERY_S * SECOND_US, life=_LIFE_US)
        asking.since_starts(limits[run], ("candidate1",), later, now_us)


def run_of(experiment: Experiment) -> Run:
    """Return the run of an experiment."""
    return Run(experiment.policy.name, experiment.revision)


@contextmanager
def _filled(
    world: World, plan: Plan
) -> Iterator[tuple[Database, Counts, list[int], Callable[[int, Digest], None]]]:
    """Yield counts that hold the world's history, and how to hand in more."""
    with TemporaryDirectory(prefix="rollout-") as folder:
        database = Database.writer(Path(folder) / "control.db")
        counts, cursor = Counts(database), 0
        thresholds = [
            _registered(counts, world.experiment(number)).identity for number in range(world.experiments)
        ]

        def feed(end_us: int, digest: Digest) -> None:
            nonlocal cursor
            counts.add(Told(Kind.EXPOSURES, "node", _LOG, cursor, cursor + 1, end_us, 0), digest, end_us)
            cursor += 1

        try:
            for end_us, digest in world.segments(thresholds, 0, plan.history_s, HISTORY_EACH_S):
                feed(end_us, digest)
            yield database, counts, thresholds, feed
        finally:
            database.close()


def _registered(counts: Counts, experiment: Experiment) -> Threshold:
    metric = next(one for one in experiment.policy.metrics if one.type is MetricType.LATENCY)
    share = 1.0 - (metric.quantile or 0.0)
    return counts.register(run_of(experiment), metric.name, limit_us=metric.max_us or 0, share=share)


def _spent_s(call: Callable[[], object]) -> float:
    """Return the processor time of a call; on a busy machine the wall's clock says less."""
    before_s = time.process_time()
    call()
    return time.process_time() - before_s


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, each pass beside the same asked of the tables."""
    most = rows[-1]
    verdict = "met" if most.pass_s <= GOAL_S else "**missed**"
    heads = (
        "experiments, requests/s",
        "a pass",
        "asked of the tables",
        "times as long",
        "first pass after a start",
    )
    return [
        f"A pass over {most.world.experiments:,} experiments takes {most.pass_s:.2f} s;",
        f"the goal of at most {GOAL_S:g} s is {verdict}.",
        *_growth(rows),
        "",
        *as_table((*heads, "an arriving event", "memory"), [_cells(row) for row in rows]),
    ]


def _growth(rows: Sequence[Row]) -> list[str]:
    """Say with what power of the traffic a pass grows, of the most experiments that were given two rates."""
    by_size: dict[int, list[Row]] = {}
    for row in rows:
        by_size.setdefault(row.world.experiments, []).append(row)
    sizes = [size for size, own in by_size.items() if len(own) > 1]
    if not sizes:
        return []
    first, *_, last = by_size[max(sizes)]
    power = math.log(last.pass_s / first.pass_s) / math.log(last.world.per_second / first.world.per_second)
    return [f"A pass over {max(sizes):,} grows with the traffic to the power of {power:.2f}."]


def _cells(row: Row) -> list[str]:
    return [
        f"{row.world.experiments:,}, {row.world.per_second:,}",
        f"{1000 * row.pass_s:,.1f} ms",
        f"{row.asked_s:,.2f} s",
        f"{row.asked_s / row.pass_s:,.0f}",
        f"{row.again_s:,.2f} s",
        f"{row.event_us:.0f} µs",
        f"{row.memory_mb:,.0f} MB",
    ]
