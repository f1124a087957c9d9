"""One tick of one run: observe, judge, decide, record once, converge always.

A tick is told a name and reads state. It may be cut off anywhere, and the next one does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rollout import __version__
from rollout.controller.looks import Album, Look
from rollout.controller.naming import Purpose, action_for, job_name, purpose_of, variables
from rollout.controller.noting import Noting
from rollout.controller.publishing import Publishing
from rollout.controller.sights import Sight, Sights
from rollout.controller.zones import may_move_up
from rollout.domain.basis import Basis, settled
from rollout.domain.decide import decide
from rollout.domain.decision import Decision, Reason
from rollout.domain.evidence import Evidence, nothing_known
from rollout.domain.evolve import evolve
from rollout.domain.experiment import ENDED, Experiment, JobState, Phase
from rollout.domain.job import JobReport
from rollout.domain.judge import Patience, judge
from rollout.domain.verdict import Judgement
from rollout.errors import Problem, Retry
from rollout.ports import EvidenceSource, Jobs, Ledger, Observed, Standing, Traffic

ZERO_WITHIN_US: Final = 10_000_000
"""How long a rollback's action waits for every proxy to confirm that traffic is at zero."""
PROMOTE_ENDS_WITHIN_US: Final = 60_000_000
"""How long it then waits for the end of a promote action, once that was told to stop."""

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
        judging: Judging = judge,
    ) -> None:
        self._sights = Sights() if sights is None else sights
        self._world, self._patience, self._album, self._passing = world, patience, album, passing
        self._judging = judging
        self._publishing = Publishing(world.ledger, world.traffic)
        self._zero_since_us: dict[str, int] = {}
        self._zero_settled: set[str] = set()
        self._stopping_since_us: dict[str, int] = {}

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
            job = self._job_state(seen.experiment, now_us, problems)
            decision = decide(seen.experiment, look.judgement, job, now_us)
            if decision.reason is Reason.TRAFFIC_NOT_LIVE and self._publishing.confirms(name) is None:
                look = self._asked_whether_live(seen.experiment, look, problems)
                decision = decide(seen.experiment, look.judgement, job, now_us)
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
        evidence = settled(observed.evidence)
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

    def _job_state(self, experiment: Experiment, now_us: int, problems: list[Exception]) -> JobState | None:
        """Return the state of the action that the phase waits for; one not yet started counts as running."""
        purpose = purpose_of(experiment)
        if purpose is None:
            return None
        if purpose is Purpose.ROLLBACK and experiment.uid not in self._zero_settled:
            return JobState.RUNNING
        if purpose is Purpose.ROLLBACK and self._promotes_still(experiment, now_us, problems):
            return JobState.RUNNING
        with Noting(problems):
            if action_for(experiment, purpose) is None:
                return None
            return self._world.jobs.state(job_name(experiment, purpose)) or JobState.RUNNING
        return JobState.RUNNING

    def _promotes_still(self, experiment: Experiment, now_us: int, problems: list[Exception]) -> bool:
        """Return whether a promote action runs, or may begin yet; a rollback waits, at most a minute.

        Whoever decided to promote may have been held up before it began the action: until that name has been
        stopped, nobody knows that it never will.
        """
        if experiment.winner is None:
            return False
        with Noting(problems):
            state = self._world.jobs.state(job_name(experiment, Purpose.PROMOTE))
            is_none = state is None and action_for(experiment, Purpose.PROMOTE) is None
            if is_none or state not in {None, JobState.RUNNING}:
                return False
        since_us = min(self._stopping_since_us.get(experiment.uid, now_us), now_us)
        self._stopping_since_us[experiment.uid] = since_us
        if now_us - since_us < PROMOTE_ENDS_WITHIN_US:
            return True
        waited = f"no word of its promote action's end within {PROMOTE_ENDS_WITHIN_US / 1e6:g} s"
        problems.append(
            Retry(Problem(experiment.uid, waited, "the rollback goes on; end that action by hand"))
        )
        return False

    def _record(
        self,
        seen: Standing,
        look: Look,
        decision: Decision,
        job: JobState | None,
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
        job: JobState | None,
        problems: Sequence[Exception],
    ) -> Basis:
        """Return what the look's entry rests on."""
        return Basis(
            program=__version__,
            before=before,
            after=after,
            patience=self._patience,
            evidence=look.evidence,
            job=None if job is None else JobReport(job),
            traffic_is_live=look.judgement.traffic_is_live,
            window_is_open=look.judgement.window_is_open,
            queries=look.queries,
            problems=tuple(str(one)[:PROBLEM_CHARACTERS] for one in problems[:MOST_PROBLEMS]),
        )

    def _converge(self, experiment: Experiment, now_us: int, problems: list[Exception]) -> None:
        """Make the world agree with what is recorded: traffic of every run, then this run's action."""
        is_live = self._publishing.publish(experiment, now_us, problems)
        self._passing(Point.AFTER_TRAFFIC, experiment)
        match purpose_of(experiment):
            case Purpose.PROMOTE:
                self._start(experiment, Purpose.PROMOTE, problems)
            case Purpose.ROLLBACK:
                has_ended = self._has_stopped_promoting(experiment, now_us, problems)
                if self._zero_has_settled(experiment.uid, now_us, problems, is_live=is_live) and has_ended:
                    self._start(experiment, Purpose.ROLLBACK, problems)
            case None:
                self._zero_since_us.pop(experiment.uid, None)
                self._zero_settled.discard(experiment.uid)
                self._stopping_since_us.pop(experiment.uid, None)

    def _zero_has_settled(self, uid: str, now_us: int, problems: list[Exception], *, is_live: bool) -> bool:
        """Return whether a rollback's action may begin: traffic is at zero, or was waited for long enough."""
        since_us = min(self._zero_since_us.get(uid, now_us), now_us)
        self._zero_since_us[uid] = since_us
        if not is_live and now_us - since_us < ZERO_WITHIN_US:
            return False
        if not is_live and uid not in self._zero_settled:
            waited = f"no confirmation that traffic is at zero within {ZERO_WITHIN_US / 1e6:g} s"
            problems.append(
                Retry(Problem(uid, waited, "the rollback goes on; look for a proxy that is cut off"))
            )
        self._zero_settled.add(uid)
        return True

    def _has_stopped_promoting(self, experiment: Experiment, now_us: int, problems: list[Exception]) -> bool:
        """Have a promote action end, and return whether the rollback's may begin as far as that one goes."""
        if not self._promotes_still(experiment, now_us, problems):
            return True
        with Noting(problems):
            self._world.jobs.stop(job_name(experiment, Purpose.PROMOTE))
        return not self._promotes_still(experiment, now_us, problems)

    def _start(self, experiment: Experiment, purpose: Purpose, problems: list[Exception]) -> None:
        """Start an action by its name; a name that was started before is left as it is."""
        action = None
        with Noting(problems):
            action = action_for(experiment, purpose)
        if action is None:
            return
        self._passing(Point.BEFORE_ACTION, experiment)
        with Noting(problems):
            name = job_name(experiment, purpose)
            self._world.jobs.start(name, action, variables(experiment, purpose))
        self._passing(Point.AFTER_ACTION, experiment)
