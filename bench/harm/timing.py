"""The arithmetic: when the errors alone passed the bar, and what else a run's time went into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.harm.checkers import Found
from rollout.domain.metric import MetricType
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.stats import bars, events, starts
from rollout.stats.arrays import BoolArray, IntArray

_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Errors:
    """Failed first attempts of one run, in the order in which they were over; times in µs since the epoch."""

    began_us: IntArray
    over_us: IntArray
    unit: IntArray
    is_candidate: BoolArray


@dataclass(frozen=True, slots=True)
class HarmTest:
    """What the policy asks of the test, and when it began."""

    started_us: int
    share: float
    margin: float
    bar: float

    @classmethod
    def of(cls, policy: Policy, started_us: int) -> HarmTest:
        """Return the test of a policy's one candidate whose metrics share the risk alike."""
        bar = float(bars.stop_bar(policy.risk.wrong_rollback, share=1.0 / len(policy.metrics)))
        margin = next(one.margin or 0.0 for one in policy.metrics if one.type is MetricType.ERROR_RATE)
        share = float(events.share_among_baseline(policy.steps[0].weight_bp / WHOLE_BP))
        return cls(started_us, share, margin, bar)


@dataclass(frozen=True, slots=True)
class Course:
    """What happened in one run, in seconds since the epoch."""

    first_bad_s: float
    passed_s: float
    """The answer with which the errors so far passed the bar."""
    filed_s: float
    """The segment with that answer was written into the lake."""
    looked_s: float
    """The look began that decided."""
    acknowledged_s: float
    """Envoy acknowledged the weight zero."""
    zero_s: float
    """The first request that would have been the candidate's and was not, after which none was."""
    bad: int
    requests_per_s: float
    late_share: float
    user_failures: int
    by_checkers: Mapping[str, Sequence[Found]] = field(default_factory=dict)
    """When threshold checkers would have come to the same end, by their names."""

    @property
    def total_s(self) -> float:
        """From the first bad answer to the weight zero."""
        return self.zero_s - self.first_bad_s

    @property
    def evidence_s(self) -> float:
        """The part that the statistics need, however fast everything else is."""
        return self.passed_s - self.first_bad_s

    @property
    def pipeline_s(self) -> float:
        """The part that everything else takes."""
        return self.zero_s - self.passed_s


def passed_at(errors: Errors, test: HarmTest, *, since_us: int) -> int | None:
    """Return the place of the first error, over at a time or later, with which the errors pass the bar."""
    previous = previous_us(errors)
    # Only an error of the candidate's can speak against it.
    for last in np.flatnonzero((errors.over_us >= since_us) & errors.is_candidate):
        known = slice(0, int(last) + 1)
        now_us = int(errors.over_us[last])
        alive = starts.live_starts(
            now_us,
            test.started_us,
            every=starts.EVERY_S * _SECOND_US,
            life=starts.LIFE_S * _SECOND_US,
        )
        candidate, comparison = starts.first_event_counts(
            errors.began_us[known],
            previous[known],
            is_candidate=errors.is_candidate[known],
            split=np.zeros(int(last) + 1, dtype=np.int64),
            begin=alive.begin,
            splits=1,
        )
        log_e = events.log_e_harm(
            candidate, comparison, share=[test.share], null_log_risk=np.log1p(test.margin)
        )
        if float(starts.strongest(log_e, alive.index)) >= test.bar:
            return int(last)
    return None


def previous_us(errors: Errors) -> IntArray:
    """Return, for each error, when the same unit's error before it began, or `NEVER`."""
    last: dict[int, int] = {}
    found = np.full(errors.unit.size, starts.NEVER, dtype=np.int64)
    for place in np.argsort(errors.began_us, kind="stable"):
        unit = int(errors.unit[place])
        found[place] = last.get(unit, starts.NEVER)
        last[unit] = int(errors.began_us[place])
    return found


def spread(values: list[float]) -> tuple[float, float, float]:
    """Return the median, the 90 % quantile and the largest."""
    found: NDArray[np.float64] = np.quantile(values, [0.5, 0.9, 1.0])
    return float(found[0]), float(found[1]), float(found[2])
