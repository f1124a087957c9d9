"""What ordinary tests would have said at the same looks, beside what the product made of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from scipy import stats

from rollout.domain.evidence import BinaryEvidence, ClosedRatio
from rollout.domain.experiment import Experiment
from rollout.ports import EvidenceSource, Observed
from rollout.stats.moments import JointMoments

GOAL_LEVEL: Final = 0.05
ERRORS_LEVEL: Final = 0.01


@dataclass
class Naive:
    """Who looks and stops at the first significance, as if each look were the only one."""

    looks: int = 0
    goal_differs: bool = False
    """The share of people with the goal, two-sided."""
    errors_are_more: bool = False
    """The share of failed requests, as if no two came from one person."""


class Readings:
    """Hands on what the real source answers, and notes what a naive reader would conclude."""

    def __init__(self, source: EvidenceSource) -> None:
        self._source = source
        self.naive: defaultdict[str, Naive] = defaultdict(Naive)

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        """Return everything known at this look."""
        observed = self._source.observe(experiment, now_us)
        found = observed.evidence
        naive = self.naive[experiment.policy.name]
        for goal in found.arms[0].binary.values():
            naive.looks += 1
            naive.goal_differs |= 2.0 * float(stats.norm.sf(abs(_goal_score(goal)))) <= GOAL_LEVEL
        for errors in found.arms[0].errors.values():
            naive.errors_are_more |= float(stats.norm.sf(_errors_score(errors.ratio))) <= ERRORS_LEVEL
        return observed


def _goal_score(goal: BinaryEvidence) -> float:
    return _score(
        (float(goal.control_successes.sum()), float(goal.control_units.sum())),
        (float(goal.candidate_successes.sum()), float(goal.candidate_units.sum())),
    )


def _errors_score(ratio: ClosedRatio) -> float:
    return _score(_summed(ratio.control), _summed(ratio.candidate))


def _summed(arm: JointMoments) -> tuple[float, float]:
    """Return an arm's failed requests and requests, over all blocks."""
    failed, requests = (arm.n[:, None] * arm.mean).sum(axis=0)
    return float(failed), float(requests)


def _score(control: tuple[float, float], candidate: tuple[float, float]) -> float:
    """Return the textbook's z of two shares, each (hits, trials), with their pooled variance."""
    trials = control[1] + candidate[1]
    pooled = (control[0] + candidate[0]) / max(trials, 1.0)
    spread = pooled * (1.0 - pooled) * sum(1.0 / max(arm[1], 1.0) for arm in (control, candidate))
    if min(control[1], candidate[1]) == 0.0 or spread <= 0.0:
        return 0.0
    return float((candidate[0] / candidate[1] - control[0] / control[1]) / spread**0.5)
