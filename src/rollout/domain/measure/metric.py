"""From a metric to what answers it: nothing, if it could not be measured."""

from __future__ import annotations

from rollout.domain.evidence import ArmEvidence, ClosedFractions
from rollout.domain.measure import errors, fractions, latencies, limits, means, polls
from rollout.domain.measure.measured import Measured, Polled
from rollout.domain.memory import NO_MEMORY, Memory
from rollout.domain.metric import Metric, MetricType
from rollout.domain.policy import Policy
from rollout.domain.question import FALLBACK


def measure(
    policy: Policy, metric: Metric, arm: ArmEvidence, memory: Memory = NO_MEMORY
) -> Measured | Polled | None:
    """Return what this look says of one candidate's metric, or None when it could not be measured.

    The memory is this candidate's: of evidence that is the same as at its last look nothing is computed.
    """
    match metric.type:
        case MetricType.BINARY if metric.name not in arm.means:
            binary = arm.binary.get(metric.name)
            return (
                None if binary is None else memory.result(metric.name, means.binary, policy, metric, binary)
            )
        case MetricType.BINARY | MetricType.MEAN | MetricType.RATIO | MetricType.COUNT:
            mean = arm.means.get(metric.name)
            return None if mean is None else memory.result(metric.name, means.mean, policy, metric, mean)
        case MetricType.ERROR_RATE:
            failed = arm.errors.get(metric.name)
            return None if failed is None else errors.errors(policy, metric, failed, memory)
        case MetricType.THRESHOLD:
            asked = arm.polls.get(metric.name)
            return None if asked is None else memory.result(metric.name, polls.polled, metric, asked)
        case MetricType.LATENCY if metric.max_us is not None:
            limit = arm.limits.get(metric.name)
            return None if limit is None else limits.limit(metric, limit, memory)
        case MetricType.LATENCY:
            slower = arm.latencies.get(metric.name)
            return None if slower is None else latencies.latency(metric, slower, memory)


def measure_fallback(policy: Policy, arm: ArmEvidence, memory: Memory = NO_MEMORY) -> Measured | None:
    """Return how well the candidate itself answers; there is no harm side, errors have their own metric."""
    if arm.fallbacks is None:
        return None
    return memory.result(FALLBACK, _fallback, policy, arm.fallbacks)


def _fallback(policy: Policy, found: ClosedFractions) -> Measured:
    return fractions.kept(found, policy.resilience.max_fallback)
