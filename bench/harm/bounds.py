"""The least that any test needs: Wald's bound, at the risk of a metric and at that of one start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.harm.past import WEEK_S
from bench.harm.servers import QUIET_SHARE
from bench.harm.settings import BAD_SHARE, PER_SECOND, Setting, policy_of, policy_text
from bench.harm.timing import HarmTest
from rollout.stats import starts
from rollout.stats.planning import wald_samples


@dataclass(frozen=True, slots=True)
class Bound:
    """Requests of the candidate from the change on, in the mean, and how long they take to come."""

    requests: float
    seconds: float


def bounds_of(setting: Setting) -> tuple[Bound, Bound]:
    """Return what a test needs that knows both rates: with the metric's risk, and with one start's of it.

    A new run's first start has half of the risk; after a week only the newest start carries no quiet time.
    """
    urls = {"baseline": "http://127.0.0.1:1", "candidate": "http://127.0.0.1:2"}
    test = HarmTest.of(policy_of(policy_text("bound", setting, **urls)), 0)
    start = WEEK_S // starts.EVERY_S if setting.is_old else 0
    alpha = float(np.exp(-test.bar))
    return _bound(setting, test, alpha), _bound(setting, test, alpha * float(starts.weight_of(start)))


def _bound(setting: Setting, test: HarmTest, alpha: float) -> Bound:
    limit = QUIET_SHARE * (1.0 + test.margin)
    requests = float(wald_samples(BAD_SHARE, limit, alpha=alpha))
    return Bound(requests, requests / (PER_SECOND * setting.weight))
