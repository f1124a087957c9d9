"""How the versions of a run fare right now, as answers and in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.client.answers import DegradedAnswer
from rollout.domain.assignment import arm_index
from rollout.domain.policy import Policy
from rollout.fleet.degradation import Degraded, sentence


def degraded_answers(policy: Policy, found: Sequence[Degraded]) -> tuple[DegradedAnswer, ...]:
    """Say which versions of a policy do not fare well."""
    return tuple(_answer(policy, one) for one in found)


def _answer(policy: Policy, one: Degraded) -> DegradedAnswer:
    version = (policy.baseline, *policy.candidates)[arm_index(one.arm)].version
    return DegradedAnswer(
        version=version,
        arm=one.arm,
        failures=dict(one.failures),
        ejections=one.ejections,
        hosts=one.hosts,
        healthy_hosts=one.healthy_hosts,
        open_breakers=one.open_breakers,
        nodes=one.nodes,
        sentence=sentence(one, version),
    )
