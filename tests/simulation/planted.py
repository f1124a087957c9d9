"""Bugs planted on purpose, each in one part: whoever checks the loop must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Final

from rollout.controller.naming import order_for, purpose_of
from rollout.domain.assignment import Placement
from rollout.domain.basis import Basis
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment, JobState
from rollout.domain.history import Entry
from rollout.domain.job import JobReport, Order
from rollout.domain.judge import Patience
from rollout.domain.verdict import Finding, Judgement
from rollout.ports import EvidenceSource, Jobs, Ledger, Observed, Published, Standing, Traffic, Unread
from tests.simulation.parts import Parts, judging


class Through:
    """A ledger that hands everything on; a planted bug changes one thing."""

    def __init__(self, ledger: Ledger, jobs: Jobs) -> None:
        self._ledger, self._jobs = ledger, jobs

    def served(self) -> tuple[Standing | Unread, ...]:
        """Read every run."""
        return self._ledger.served()

    def run(self, uid: str) -> Standing | None:
        """Read one run."""
        return self._ledger.run(uid)

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        """Record a run."""
        return self._ledger.record(seen, experiment, entry, basis=basis)


class Overwriting(Through):
    """It records over whatever others have recorded meanwhile."""

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        """Record without comparing."""
        del seen
        now = self._ledger.run(experiment.uid)
        if now is None or now.experiment.revision != experiment.revision:
            return False
        number = 1 + (0 if now.last is None else now.last.number)
        return self._ledger.record(now, experiment, entry and replace(entry, number=number), basis=basis)


class ActingFirst(Through):
    """It begins an action before it records the decision that the action follows from."""

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        """Act, then record."""
        purpose = purpose_of(experiment)
        order = None if purpose is None else order_for(experiment, purpose)
        if order is not None:
            self._jobs.start(order)
        return self._ledger.record(seen, experiment, entry, basis=basis)


class Forgetting(Through):
    """It says that it recorded what it did not."""

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        """Record state without its decision."""
        del entry, basis
        return self._ledger.record(seen, experiment, None)


class Deaf(Through):
    """It takes wishes off a run without a decision."""

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        """Drop the wish."""
        answer = entry is not None and entry.decision.wish is not None
        return self._ledger.record(
            seen, experiment if answer else replace(experiment, wish=None), entry, basis=basis
        )


class Remembering(Through):
    """It derives traffic from what it read of the runs when it began."""

    def __init__(self, ledger: Ledger, jobs: Jobs) -> None:
        super().__init__(ledger, jobs)
        self._first: dict[str, Standing] = {}

    def served(self) -> tuple[Standing | Unread, ...]:
        """Return every run as it was."""
        found = [one for one in self._ledger.served() if isinstance(one, Standing)]
        return tuple(self._first.setdefault(one.experiment.uid, one) for one in found)


class Eager:
    """It publishes the next step's weights before they are decided."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        """Publish a step more."""
        steps = [(one, min(one.split.steps_on + 1, len(one.policy.steps))) for one in placements]
        ahead = tuple(
            replace(one, split=replace(one.split, steps_on=steps_on)) if one.split.steps_on else one
            for one, steps_on in steps
        )
        return self._traffic.publish(ahead, kept=kept)


class Confident:
    """It says that all is live before any node has said so."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        """Publish, and believe."""
        self._traffic.publish(placements, kept=kept)
        return Published(is_live=True)


class Patched:
    """It puts the newest evidence that it ever had in place of what is absent."""

    def __init__(self, evidence: EvidenceSource) -> None:
        self._evidence = evidence

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        """Answer as if everything were fresh."""
        found = self._evidence.observe(experiment, now_us).evidence
        return Observed(replace(found, watermark_us=now_us, fast_watermark_us=now_us))


class Again:
    """It gives every attempt a name of its own, so that a lost answer is an action twice."""

    _numbers = count(1)

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._names: dict[str, str] = {}

    def start(self, order: Order) -> None:
        """Begin once more."""
        self._names[order.name] = f"{order.name}-{next(self._numbers)}"
        self._jobs.start(self._newest(order))

    def report(self, order: Order) -> JobReport | None:
        """Ask after the newest attempt."""
        return self._jobs.report(self._newest(order))

    def stop(self, order: Order) -> None:
        """Have the newest attempt end."""
        self._jobs.stop(self._newest(order))

    def _newest(self, order: Order) -> Order:
        return replace(order, name=self._names.get(order.name, order.name))


class Impatient(Again):
    """It takes every action for ended."""

    def start(self, order: Order) -> None:
        """Begin."""
        self._jobs.start(order)

    def report(self, order: Order) -> JobReport | None:
        """Say that it has succeeded."""
        return None if self._jobs.report(order) is None else JobReport(JobState.SUCCEEDED)


def blind_to_time(experiment: Experiment, evidence: Evidence, now_us: int, patience: Patience) -> Judgement:
    """Judge without asking how old the evidence is."""
    return replace(judging(experiment, evidence, now_us, patience), evidence_is_fresh=True)


def blind_to_harm(experiment: Experiment, evidence: Evidence, now_us: int, patience: Patience) -> Judgement:
    """Judge without seeing harm once a promotion is under way."""
    seen = judging(experiment, evidence, now_us, patience)
    if experiment.winner is None:
        return seen
    mended = [replace(one, finding=Finding.SAFE) for one in seen.verdicts]
    return replace(seen, verdicts=tuple(mended))


def easily_convinced(
    experiment: Experiment, evidence: Evidence, now_us: int, patience: Patience
) -> Judgement:
    """Judge what is unclear as proven."""
    seen = judging(experiment, evidence, now_us, patience)
    found = [
        replace(one, finding=Finding.SAFE) if one.finding is Finding.UNCLEAR else one for one in seen.verdicts
    ]
    return replace(seen, verdicts=tuple(found))


def trusting(experiment: Experiment, evidence: Evidence, now_us: int, patience: Patience) -> Judgement:
    """Judge a broken split as a whole one."""
    return replace(judging(experiment, evidence, now_us, patience), split_holds=True)


PLANTED: Final[Mapping[str, Callable[[], Parts]]] = {
    "records without comparing": lambda: Parts(ledger=Overwriting),
    "acts before it records": lambda: Parts(ledger=ActingFirst),
    "keeps decisions to itself": lambda: Parts(ledger=Forgetting),
    "drops wishes": lambda: Parts(ledger=Deaf),
    "publishes what it read long ago": lambda: Parts(ledger=Remembering),
    "publishes before it decides": lambda: Parts(traffic=Eager),
    "believes that all is live": lambda: Parts(traffic=Confident),
    "nodes follow old leaders": lambda: Parts(nodes_are_fenced=False),
    "takes old evidence for new": lambda: Parts(evidence=Patched),
    "asks not how old evidence is": lambda: Parts(judging=lambda: blind_to_time),
    "sees no harm while it promotes": lambda: Parts(judging=lambda: blind_to_harm),
    "is easily convinced": lambda: Parts(judging=lambda: easily_convinced),
    "trusts a broken split": lambda: Parts(judging=lambda: trusting),
    "names an action anew each time": lambda: Parts(jobs=Again),
    "waits for no action": lambda: Parts(jobs=Impatient),
}
