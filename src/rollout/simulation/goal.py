"""What a policy promotes for: the metric on which both rules are compared."""

from __future__ import annotations

from rollout.domain.metric import Metric, Role, Source
from rollout.domain.policy import Policy


def goal_of(policy: Policy) -> Metric | None:
    """Return the first goal that outcomes tell, or None: then there is nothing to compare."""
    goals = (metric for metric in policy.metrics if metric.role is Role.PRIMARY)
    return next((metric for metric in goals if metric.source is Source.OUTCOMES), None)
