"""Thresholds of a metrics server: so many measured polls in a row decide, outside every error budget."""

from __future__ import annotations

import numpy as np

from rollout.domain.evidence import Poll, PollEvidence
from rollout.domain.measure.measured import Polled
from rollout.domain.metric import Metric


def polled(metric: Metric, found: PollEvidence) -> Polled:
    """Return the state after the last poll: a gap neither counts nor resets, but safety has none (h).

    Breaches in a row that are over are harm as well: whoever looked at each poll would have seen them, so a
    control plane that was away comes to the same.
    """
    limit = metric.failure_limit or 1
    polls = np.asarray(found.polls)
    breaches = np.cumsum(polls == Poll.BREACH, axis=-1)
    at_last_good = np.maximum.accumulate(np.where(polls == Poll.GOOD, breaches, 0), axis=-1)
    last = polls[..., -limit:]
    return Polled(
        is_harmed=np.asarray((breaches - at_last_good >= limit).any(axis=-1)),
        is_safe=(last == Poll.GOOD).all(axis=-1) & (last.shape[-1] == limit),
        is_empty=(last == Poll.GAP).all(axis=-1),
        latest=found.latest,
    )
