"""A look at a folder of segments alone: the intake takes its records in again, into a temporary house."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rollout.controller.sights import Sight
from rollout.controller.workers import Threads
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import Patience, judge
from rollout.domain.metric import MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.quality import Gap
from rollout.errors import NotReadable, Problem
from rollout.intake.closed import sources_of
from rollout.intake.evidence import RecordedEvidence
from rollout.intake.intake import Intake
from rollout.lake import runs, segments
from rollout.lake.accounts.books import Books
from rollout.lake.engine import connect
from rollout.lake.gaps import Filed, missing
from rollout.lake.runs import Recorded, RunRecords
from rollout.lake.segments import Kind
from rollout.ports import Observed
from rollout.store.counts import Counts, Told
from rollout.store.database import Database

NODE: Final = "lake"
LOGS: Final = {Kind.EXPOSURES: "0" * 32, Kind.OUTCOMES: "1" * 32}
ANSWERS_WITHIN_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which folder, revision and time a look is wanted; without them the newest."""

    folder: Path
    policy: Policy
    revision: int | None
    at_us: int | None
    patience: Patience


def look(asked: Asked, *, on_read: Callable[[int, int | None], object]) -> Sight:
    """Return what a look at one moment would have seen, if nothing had come late."""
    engine, policy = connect(threads=2), asked.policy
    found = _chosen(runs.recorded(engine, asked.folder, policy.name), asked)
    metrics = [
        name for metric in policy.metrics if metric.source is Source.OUTCOMES for name in sources_of(metric)
    ]
    records = RunRecords(engine, asked.folder, found.run, metrics)
    newest_us = records.newest_us()
    at_us = (found.last_us if newest_us is None else newest_us) + 1 if asked.at_us is None else asked.at_us
    experiment = _experiment(policy, found)
    with tempfile.TemporaryDirectory(prefix="rollout-") as made:
        home = Path(made)
        database = Database.writer(home / "control.db")
        try:
            house = _House(home, Counts(database), asked.patience)
            house.begin(experiment)
            for number, (kind, end_us, due, body) in enumerate(records.hours(until_us=at_us, into=home)):
                house.take_in(experiment, kind, end_us, body)
                on_read(number + 1, due)
            seen = house.look(experiment, at_us)
        finally:
            database.close()
    if seen.problems:
        raise seen.problems[0]
    # What the temporary house knows of its sources is nothing about the folder's.
    quality = replace(seen.evidence.quality, feeds=(), gaps=_gaps(asked.folder))
    evidence = replace(seen.evidence, quality=quality)
    return Sight(at_us, experiment, evidence, judge(experiment, evidence, at_us, asked.patience))


class _House:
    """An intake and the evidence that is read from it, in a folder of their own, with a clock that is set."""

    def __init__(self, home: Path, counts: Counts, patience: Patience) -> None:
        self._now_us = 0
        self._counts, self._workers = counts, Threads()
        self._intake = Intake(home / "lake", counts, now_us=lambda: self._now_us)
        self._source = RecordedEvidence(
            counts, Books(home / "lake"), patience=patience, workers=self._workers
        )

    def begin(self, experiment: Experiment) -> None:
        """Have the run's limits counted from its first request on."""
        self._now_us = experiment.started_us
        self._observe(experiment)

    def take_in(self, experiment: Experiment, kind: Kind, end_us: int, body: bytes) -> None:
        """File and count one hour."""
        self._now_us = max(self._now_us, end_us)
        self._hand_in(kind, body)
        # The baseline's own quantile is frozen at the first look that knows enough requests.
        metrics = experiment.policy.metrics
        if any(metric.type is MetricType.LATENCY and metric.max_us is None for metric in metrics):
            self._observe(experiment)

    def look(self, experiment: Experiment, at_us: int) -> Observed:
        """Return what is known once everything before a time is filed."""
        self._now_us = at_us
        for kind in Kind:
            self._hand_in(kind, b"")
        self._observe(experiment)
        return self._source.observe(experiment, at_us)

    def _observe(self, experiment: Experiment) -> None:
        self._source.observe(experiment, self._now_us)
        self._workers.finish(ANSWERS_WITHIN_S)

    def _hand_in(self, kind: Kind, body: bytes) -> None:
        start = self._counts.cursor(NODE, LOGS[kind])
        told = Told(kind, NODE, LOGS[kind], start, start + len(body), self._now_us, 0)
        self._intake.accept(told, body)


def _chosen(found: tuple[Recorded, ...], asked: Asked) -> Recorded:
    where = str(asked.folder)
    if not found:
        what = f"no analysed request of {asked.policy.name} is in it"
        raise NotReadable(
            Problem(where, what, "name a lake's folder; `rollout lake ls` lists what one holds")
        )
    wanted = {one.run.revision: one for one in found}
    revision = max(wanted) if asked.revision is None else asked.revision
    if revision not in wanted:
        what = f"it holds nothing of revision {revision}"
        raise NotReadable(Problem(where, what, f"choose one of: {', '.join(map(str, sorted(wanted)))}"))
    return wanted[revision]


def _experiment(policy: Policy, found: Recorded) -> Experiment:
    """Return the run as its records show it: begun at its first request, in the step of its last block."""
    step = len(policy.mirror_steps) + max(min(found.block, len(policy.steps)) - 1, 0)
    return Experiment(
        uid=NODE,
        policy=policy,
        revision=found.run.revision,
        phase=Phase.RUNNING,
        step=step,
        started_us=found.first_us,
        step_entered_us=found.block_from_us,
        fresh_us=found.last_us,
    )


def _gaps(folder: Path) -> tuple[Gap, ...]:
    """Return the gaps between a folder's files; what is missing at a log's end nobody can see."""
    ends: dict[tuple[Kind, str, str], int] = {}
    for kind in Kind:
        for segment, _ in segments.listed(folder / kind) if (folder / kind).is_dir() else ():
            key = (kind, segment.node, segment.log)
            ends[key] = max(ends.get(key, 0), segment.end)
    filed = [Filed(*key, end=end, at_us=0) for key, end in sorted(ends.items())]
    return tuple(one.gap for one in missing(folder, filed))
