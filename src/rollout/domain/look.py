"""Whether looks can be trusted: fresh, split as planned, and late enough for a window to have closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.memory import NO_MEMORY, Memory
from rollout.domain.policy import MirrorStep, Policy
from rollout.stats import balance, bars
from rollout.stats.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Patience:
    """How long evidence may lag before a look no longer counts, and how long late records are waited for."""

    stale_after_us: int = 60_000_000
    grace_us: int = 600_000_000

    def grace_for(self, window_s: float) -> int:
        """Return how long after a window's end its unit closes: never longer than the window itself."""
        return min(self.grace_us, int(window_s * 1e6))


@dataclass(frozen=True, slots=True)
class Looks:
    """One look at each of some experiments of the same policy, [replicate]."""

    log_e_mismatch: FloatArray
    split_holds: BoolArray
    is_fresh: BoolArray
    is_watching: BoolArray
    """All traffic is the winner's already: only limits are judged, and nothing is latched."""
    is_mirroring: BoolArray
    """Only copies are sent: nothing can be missing, and nothing is proven."""
    began_us: IntArray
    """When the first window began, or may have begun."""
    watermark_us: IntArray
    patience: Patience

    @property
    def may_latch(self) -> BoolArray:
        """Return whether proofs may be kept, if nothing is missing."""
        return self.split_holds & self.is_fresh & ~self.is_watching & ~self.is_mirroring

    def are_due(self, window_s: float) -> BoolArray:
        """Return whether a first window of this length must have closed by now."""
        needed_us = int(window_s * 1e6) + self.patience.grace_for(window_s)
        return np.asarray(~self.is_mirroring & (self.watermark_us - self.began_us >= needed_us))


# Before everything, for a watermark that is not known; differences of it stay inside an int64.
_NEVER = -(2**62)
_SPLIT_BAR: Final = bars.reject_bar(balance.ALPHA)


def looks(
    experiments: Sequence[Experiment],
    evidence: Evidence,
    now_us: int,
    patience: Patience,
    memory: Memory = NO_MEMORY,
) -> Looks:
    """Return what is known of the looks themselves, before any metric."""
    number, policy = len(experiments), experiments[0].policy
    is_watching = np.array([one.phase is Phase.WATCHING for one in experiments], dtype=np.bool_)
    # After a promotion units are no longer split evenly.
    uneven = memory.result("mismatch", _mismatch, policy, evidence.enrolled, evidence.enrolled_arms)
    mismatch = np.where(is_watching, 0.0, uneven)
    each = np.zeros(number, dtype=np.int64)
    watermark, fast = (
        each + ((_NEVER if mark is None else mark) - evidence.lag_us)
        for mark in (evidence.watermark_us, evidence.fast_watermark_us)
    )
    entered = np.array([max(one.step_entered_us, one.watch_from_us or 0) for one in experiments])
    least = np.maximum(entered, now_us - patience.stale_after_us)
    # A mark ahead of the clock says nothing about now: one of the two is wrong.
    most = now_us + patience.stale_after_us
    first = evidence.first_enrolled_us
    began = np.array([_begin(one) for one in experiments]) if first is None else np.asarray(first)
    return Looks(
        log_e_mismatch=mismatch,
        split_holds=mismatch < _SPLIT_BAR,
        is_fresh=(watermark >= least) & (fast >= least) & (watermark <= most) & (fast <= most),
        is_watching=is_watching,
        is_mirroring=np.array([_is_mirroring(one) for one in experiments], dtype=np.bool_),
        began_us=began,
        watermark_us=watermark,
        patience=patience,
    )


def _is_mirroring(experiment: Experiment) -> bool:
    return isinstance(experiment.current_step, MirrorStep)


def _begin(experiment: Experiment) -> int:
    """Return the earliest moment at which the first unit may have come."""
    if experiment.watch_from_us is not None:
        return experiment.watch_from_us
    is_first = experiment.step <= len(experiment.policy.mirror_steps)
    return experiment.step_entered_us if is_first else experiment.started_us


def _mismatch(policy: Policy, enrolled: IntArray, split: BoolArray | None) -> FloatArray:
    """Return log e against an even split (e), each stratum over the arms that were active in it."""
    if split is None or split.all():
        return balance.log_e(enrolled, _even(policy.arms))
    found = np.zeros(enrolled.shape[:-2])
    for pattern in np.unique(split.reshape(-1, policy.arms), axis=0):
        arms = np.flatnonzero(pattern)
        if len(arms) > 1:
            counts = np.where((split == pattern).all(axis=-1, keepdims=True), enrolled, 0)
            found = found + balance.log_e(counts[..., arms], _even(len(arms)))
    return found


def _even(arms: int) -> FloatArray:
    return np.full(arms, 1.0 / arms)
