"""What a policy asks of each candidate, and which share of the risk each question may use up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rollout.domain.metric import Direction, Metric, MetricType, Role
from rollout.domain.policy import Policy
from rollout.stats import bars

FALLBACK: Final = "fallback"
"""The name of the requirement that the candidate itself answers, which every policy with a fallback has."""
_FALLBACK_WINDOW_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Question:
    """A metric of the policy, or, without one, whether the candidate itself answers."""

    name: str
    window_s: float
    metric: Metric | None = None

    @property
    def is_observed(self) -> bool:
        """Whether its answer is only reported."""
        return self.metric is not None and self.metric.role is Role.OBSERVE

    @property
    def is_limit(self) -> bool:
        """Whether it stays armed after a promotion."""
        return self.metric is not None and self.metric.role is Role.SLO

    @property
    def is_tested(self) -> bool:
        """Whether it may use up a share of the risk of a wrong rollback."""
        return (
            self.metric is not None and not self.is_observed and self.metric.type is not MetricType.THRESHOLD
        )

    @property
    def is_more_better(self) -> bool:
        """Whether a larger estimate is a better one; of errors, limits and fallbacks less is better."""
        return self.metric is not None and self.metric.direction is Direction.INCREASE

    @property
    def needs_proof(self) -> bool:
        """Whether a promotion waits for its proof; nothing is promised by a guardrail without a margin."""
        if self.metric is None:
            return True
        has_null = self.metric.margin is not None or self.metric.type in {
            MetricType.ERROR_RATE,
            MetricType.LATENCY,
            MetricType.THRESHOLD,
        }
        return not self.is_observed and (self.metric.role is not Role.GUARDRAIL or has_null)


def questions(policy: Policy) -> tuple[Question, ...]:
    """Return everything that is asked of a candidate, in the policy's order."""
    asked = tuple(Question(metric.name, metric.window_s, metric) for metric in policy.metrics)
    if not policy.resilience.falls_back:
        return asked
    return (*asked, Question(FALLBACK, fallback_window_s(policy)))


def fallback_window_s(policy: Policy) -> float:
    """Return when a unit's fallbacks are counted: as soon as its errors are, at the latest in ten minutes."""
    errors = (metric.window_s for metric in policy.metrics if metric.type is MetricType.ERROR_RATE)
    return min([_FALLBACK_WINDOW_S, *errors])


def is_limit(policy: Policy, name: str) -> bool:
    """Return whether a verdict speaks of an absolute limit."""
    return any(question.name == name and question.is_limit for question in questions(policy))


def proof_bar(policy: Policy) -> float:
    """Return the bar of every proof: the candidates share one α, also with those that were stopped."""
    return float(bars.promote_bar(policy.risk.wrong_promotion, arms=len(policy.candidates)))


def tests_of(policy: Policy) -> int:
    """Return how many harm tests of one candidate share its α: of its metrics, its limits and its shadow."""
    return sum(question.is_tested for question in questions(policy)) + bool(policy.mirror_steps)


def harm_bar(policy: Policy) -> float:
    """Return the bar of every harm test: they share one α equally."""
    return _stop_bar(policy, tests_of(policy))


def watch_bar(policy: Policy) -> float:
    """Return the bar of every limit after a promotion: they have an α of their own."""
    return _stop_bar(policy, sum(question.is_limit and question.is_tested for question in questions(policy)))


def _stop_bar(policy: Policy, tests: int) -> float:
    return float(bars.stop_bar(policy.risk.wrong_rollback, share=1.0 / max(tests, 1)))
