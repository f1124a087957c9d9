"""Two sources of evidence as one: each is asked for itself, and one that fails hides nothing of the other."""

from __future__ import annotations

from dataclasses import replace

from rollout.controller.noting import Noting
from rollout.domain.basis import Query
from rollout.domain.evidence import ArmEvidence, Evidence, nothing_known
from rollout.domain.experiment import Experiment
from rollout.ports import EvidenceSource, Observed


class BothSources:
    """What the records say, with what a metrics server says beside it.

    Units, watermarks and enrolment are the records' alone: polls have none. What a source could not be asked
    is absent, and among the problems.
    """

    def __init__(self, recorded: EvidenceSource, polled: EvidenceSource) -> None:
        self._recorded, self._polled = recorded, polled

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        """Return everything known at this look."""
        problems: list[Exception] = []
        queries: tuple[Query, ...] = ()
        found = nothing_known(experiment.policy)
        with Noting(problems):
            recorded = self._recorded.observe(experiment, now_us)
            found = recorded.evidence
            problems += recorded.problems
            queries += recorded.queries
        with Noting(problems):
            polled = self._polled.observe(experiment, now_us)
            found = _joined(found, polled.evidence)
            problems += polled.problems
            queries += polled.queries
        return Observed(found, tuple(problems), queries)


def _joined(records: Evidence, polls: Evidence) -> Evidence:
    arms = zip(records.arms, polls.arms, strict=True)
    quality = replace(
        records.quality,
        feeds=(*records.quality.feeds, *polls.quality.feeds),
        unmeasured={**polls.quality.unmeasured, **records.quality.unmeasured},
    )
    return replace(records, arms=tuple(_arm(own, other) for own, other in arms), quality=quality)


def _arm(records: ArmEvidence, polls: ArmEvidence) -> ArmEvidence:
    return replace(records, polls={**records.polls, **polls.polls})
