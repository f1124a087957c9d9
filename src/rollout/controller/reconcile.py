"""One tick of one run: observe, judge, decide, record once, converge always.

A tick is told a name and reads state. It may be cut off anywhere, and the next one does the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final

from rollout import __version__
from rollout.controller.acting import Acting
from rollout.controller.looks import Album, Look
from rollout.controller.noting import Noting
from rollout.controller.publishing import Publishing
from rollout.controller.rejudging import Rejudging
from rollout.controller.sights import Sight, Sights
from rollout.controller.zones import may_move_up
from rollout.domain.basis import Basis, settled
from rollout.domain.decide import decide
from rollout.domain.decision import Decision, Reason
from rollout.domain.evidence import Evidence, nothing_known
from rollout.domain.evolve import evolve
from rollout.domain.experiment import ENDED, Experiment, Phase
from rollout.domain.job import JobReport
from rollout.domain.judge import Patience
from rollout.domain.verdict import Judgement
from rollout.ports import EvidenceSource, Jobs, Ledger, Observed, Standing, Traffic

MOST_PROBLEMS: Final = 20
PROBLEM_CHARACTERS: Final = 500
"""How much of what did not work at a look is kept with its entry."""


class Point(StrEnum):
    """Where a tick may be cut off with the most to lose; tests end the process there."""

    BEFORE_RECORD = "before-record"
    AFTER_RECORD = "after-record"
    AFTER_TRAFFIC = "after-traffic"
    BEFORE_ACTION = "before-action"
    AFTER_ACTION = "after-action"


Passing = Callable[[Point, Experiment], None]
Judging = Callable[[Experiment, Evidence, int, Patience], Judgement]


def pass_by(_point: Point, _experiment: Experiment) -> None:
    """Go on, as every tick does outside tests."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside that a tick reads and writes."""

    ledger: Ledger
    evidence: EvidenceSource
    traffic: Traffic
    jobs: Jobs


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick came to; its problems are what did not work, each of which left the rest to work."""

    experiment: Experiment
    version: int
    decision: Decision | None
    was_overtaken: bool
    problems: tuple[Exception, ...]

    @property
    def has_ended(self) -> bool:
        """Whether nothing is decided any more."""
        return self.experiment.phase in ENDED

    @property
    def is_judged(self) -> bool:
        """Whether a candidate has traffic of which the next look may find harm."""
        experiment = self.experiment
        is_over = self.has_ended or experiment.phase is Phase.ROLLING_BACK
        return not is_over and not experiment.rollback_failed


class Reconciler:
    """Ticks runs, each in one thread at a time; what it remembers is only how long it has waited."""

    def __init__(  # noqa: PLR0913 (each is one thing that a test may choose)
        self,
        world: World,
        *,
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        album: Album = Album(),  # noqa: B008 (frozen)
        passing: Passing = pass_by,
        sights: Sights | None = None,
        judging: Judging | None = None,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sights = Sights() if sights is None else sights
        self._world, self._patience, self._album, self._passing = world, patience, album, passing
        self._judging = Rejudging() if judging is None else judging
        self._publishing = Publishing(world.ledger, world.traffic)
        self._acting = Acting(
            world.jobs,
            before=partial(passing, Point.BEFORE_ACTION),
            after=partial(passing, Point.AFTER_ACTION),
            steady_s=steady_s,
        )

    def tick(self, uid: str, now_us: int) -> Tick | None:
        """Move one run as far as it goes now, or return None when its route is no longer served."""
        seen = self._world.ledger.run(uid)
        if seen is None:
            return None
        problems: list[Exception] = []
        standing: Standing | None = seen
        name = seen.experiment.policy.name
        decision = None
        if seen.experiment.phase not in ENDED or seen.experiment.wish is not None:
            look = self._look(seen, now_us, problems)
            job = self._acting.report(seen.experiment, now_us, problems)
            state = None if job is None else job.state
            decision = decide(seen.experiment, look.judgement, state, now_us)
            if decision.reason is Reason.TRAFFIC_NOT_LIVE and self._publishing.confirms(name) is None:
                look = self._asked_whether_live(seen.experiment, look, problems)
                decision = decide(seen.experiment, look.judgement, state, now_us)
            standing = self._record(seen, look, decision, job, problems)
        if standing is None:
            return Tick(seen.experiment, seen.version, None, was_overtaken=True, problems=tuple(problems))
        self._converge(standing.experiment, now_us, problems)
        experiment, version = standing.experiment, standing.version
        return Tick(experiment, version, decision, was_overtaken=False, problems=tuple(problems))

    def _look(self, seen: Standing, now_us: int, problems: list[Exception]) -> Look:
        """Return what is known now; whatever fails while measuring, a person can still roll back."""
        experiment, last = seen.experiment, seen.last
        is_over = experiment.phase is Phase.ROLLING_BACK or experiment.phase in ENDED
        if last is not None and (is_over or experiment.rollback_failed):
            # Nothing more is learned of a candidate without traffic: what it rests on is what was last seen.
            return Look(now_us, last.judgement, last.watermark_us)
        with Noting(problems):
            observed = self._world.evidence.observe(experiment, now_us)
            problems += observed.problems
            return self._judged(experiment, observed, now_us, problems)
        return self._judged(experiment, Observed(nothing_known(experiment.policy)), now_us, problems)

    def _judged(
        self, experiment: Experiment, observed: Observed, now_us: int, problems: list[Exception]
    ) -> Look:
        """Return a look, with whether traffic may move up at all; hours that nobody knows are closed."""
        last = self._sights.of(experiment)
        evidence = settled(observed.evidence, before=None if last is None else last.evidence)
        judgement = self._judging(experiment, evidence, now_us, self._patience)
        is_open = False
        with Noting(problems):
            is_open = may_move_up(experiment.policy.advance, now_us)
        is_live = self._publishing.confirms(experiment.policy.name) is True
        judgement = replace(judgement, traffic_is_live=is_live, window_is_open=is_open)
        self._sights.note(Sight(now_us, experiment, evidence, judgement))
        mark = evidence.watermark_us
        return Look(now_us, judgement, None if mark is None else int(mark), evidence, observed.queries)

    def _asked_whether_live(self, experiment: Experiment, look: Look, problems: list[Exception]) -> Look:
        """Return a new process's first look, once it knows of the proxies: harm did not wait for them."""
        is_live = self._publishing.publish(experiment, look.at_us, problems)
        return replace(look, judgement=replace(look.judgement, traffic_is_live=is_live))

    def _record(
        self,
        seen: Standing,
        look: Look,
        decision: Decision,
        job: JobReport | None,
        problems: Sequence[Exception],
    ) -> Standing | None:
        """Return how the run stands after this look, or None when somebody else recorded meanwhile."""
        after = evolve(seen.experiment, look.judgement, decision, look.at_us)
        entry = self._album.entry(seen, after, decision, look)
        if entry is None and not self._album.state_is_due(seen.experiment, after):
            return seen
        basis = None if entry is None else self._basis(seen.experiment, after, look, job, problems)
        self._passing(Point.BEFORE_RECORD, after)
        if not self._world.ledger.record(seen, after, entry, basis=basis):
            return None
        self._passing(Point.AFTER_RECORD, after)
        return Standing(after, seen.version + 1, entry or seen.last)

    def _basis(
        self,
        before: Experiment,
        after: Experiment,
        look: Look,
        job: JobReport | None,
        problems: Sequence[Exception],
    ) -> Basis:
        """Return what the look's entry rests on."""
        return Basis(
            program=__version__,
            before=before,
            after=after,
            patience=self._patience,
            evidence=look.evidence,
            job=job,
            traffic_is_live=look.judgement.traffic_is_live,
            window_is_open=look.judgement.window_is_open,
            queries=look.queries,
            problems=tuple(str(one)[:PROBLEM_CHARACTERS] for one in problems[:MOST_PROBLEMS]),
        )

    def _converge(self, experiment: Experiment, now_us: int, problems: list[Exception]) -> None:
        """Make the world agree with what is recorded: traffic of every run, then this run's action."""
        is_live = self._publishing.publish(experiment, now_us, problems)
        self._passing(Point.AFTER_TRAFFIC, experiment)
        self._acting.converge(experiment, now_us, problems, is_live=is_live)
