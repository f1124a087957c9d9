"""Thresholds of a metrics server: so many measured polls in a row decide, outside every error budget."""

from __future__ import annotations

import numpy as np

from rollout.domain.evidence import Poll, PollEvidence
from rollout.domain.measure.measured import Polled
from rollout.domain.metric import Metric


def polled(metric: Metric, found: PollEvidence) -> Polled:
    """Return the state after the last poll: a gap neither counts nor resets, but safety has none (h)."""
    limit = metric.failure_limit or 1
    polls = np.asarray(found.polls)
    since_good = np.cumsum(np.flip(polls == Poll.GOOD, -1), axis=-1) == 0
    breaches = (np.flip(polls == Poll.BREACH, -1) & since_good).sum(axis=-1)
    last = polls[..., -limit:]
    return Polled(
        is_harmed=breaches >= limit,
        is_safe=(last == Poll.GOOD).all(axis=-1) & (last.shape[-1] == limit),
        is_empty=(last == Poll.GAP).all(axis=-1),
        latest=found.latest,
    )
