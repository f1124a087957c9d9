"""Evidence of the proxy, drawn: errors, limits, slowness beside the baseline, and who answered instead."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr, ndtri

from rollout.domain.evidence import (
    ClosedFractions,
    ClosedRatio,
    ErrorEvidence,
    FirstErrors,
    LatencyEvidence,
    LimitEvidence,
)
from rollout.domain.metric import Metric
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.simulation import troubles
from rollout.simulation.crowd import Crowd, Trials
from rollout.simulation.levels import Span
from rollout.simulation.tracks import Pending, Recent, Since
from rollout.simulation.troubles import FRACTIONS, HITS, NONZERO, TRIALS, UNITS, X, Y
from rollout.stats import events, slo, starts
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

SPREAD: Final = 0.5
"""The deviation of the logarithm of a latency."""
_TALLY_S: Final = 120.0
_ALARM_S: Final = 600.0
_MINUTE_S: Final = 60.0


def closed_ratio(closed: FloatArray, arm: int) -> ClosedRatio:
    """Return closed units of control and candidate by block, from sums [replicate, group, arm, column]."""
    blocks = closed[:, :-1]
    control, candidate = blocks[:, :, 0], blocks[:, :, arm]
    return ClosedRatio(
        troubles.joint(control),
        troubles.joint(candidate),
        control[..., NONZERO].sum(axis=-1).astype(np.int64),
        candidate[..., NONZERO].sum(axis=-1).astype(np.int64),
    )


def closed_fractions(closed: FloatArray, arm: int) -> ClosedFractions:
    """Return a candidate's closed units over all blocks."""
    own = closed[:, :-1, arm].sum(axis=1)
    units = own[..., UNITS]
    return ClosedFractions(
        units.astype(np.int64), np.minimum(own[..., FRACTIONS], units), troubles.joint(own)
    )


class _Drawn:
    """What all of them share: how trouble is drawn, and units that are still open."""

    def __init__(self, shape: tuple[int, int, int], crowd: Crowd, trials: Trials, closes_s: float) -> None:
        self._crowd, self._trials = crowd, trials
        self._pending = Pending((*shape, troubles.COLUMNS), window_s=closes_s)

    def _draw(self, rng: Generator, kinds: IntArray, chance: FloatArray, span: Span) -> FloatArray:
        """Return the sums [replicate, group, arm, column] of who came; `chance` [replicate, arm]."""
        each = np.minimum(chance[:, np.newaxis, :, np.newaxis] * self._crowd.proneness, 0.999)
        sums = troubles.drawn(rng, kinds, self._trials, each)
        self._pending.add(span.from_s, span.to_s, sums)
        self._pending.close(np.full(1, span.to_s))
        return sums

    @property
    def _closed(self) -> FloatArray:
        closed = self._pending.closed
        return closed[:, 0] if closed.shape[1] else np.zeros((len(closed), *closed.shape[2:]))


class ErrorTrack(_Drawn):
    """First errors by split since each start, closed units, and request tallies of the last minutes."""

    def __init__(self, policy: Policy, shape: tuple[int, int, int], crowd: Crowd, closes_s: float) -> None:
        super().__init__(shape, crowd, crowd.by_request, closes_s)
        replicates, _, arms = shape
        weights = np.array([step.weight_bp / WHOLE_BP for step in policy.steps])
        self._share = events.share_among_baseline(weights, candidates=len(policy.candidates))
        self._first = Since((replicates, len(policy.steps), arms), every_s=starts.EVERY_S)
        self._tallies = Recent(_TALLY_S)

    def draw(
        self, rng: Generator, kinds: IntArray, chance: FloatArray, span: Span, steps_on: IntArray
    ) -> None:
        """Draw the span's errors; each unit with one counts for every start that lives."""
        sums = self._draw(rng, kinds, chance, span)
        by_arm = sums.sum(axis=1)
        split = np.arange(len(self._share)) == steps_on[:, np.newaxis] - 1
        self._first.add(split[..., np.newaxis] * by_arm[:, np.newaxis, :, NONZERO], span.to_s)
        self._tallies.add(span.from_s, span.to_s, by_arm[..., (X, Y)])

    def evidence(self, arm: int) -> ErrorEvidence:
        """Return what a look sees of one candidate."""
        first = self._first.since_each().astype(np.int64)
        tallies = self._tallies.total().astype(np.int64)
        return ErrorEvidence(
            FirstErrors(
                self._first.index,
                first[..., arm],
                first[..., 0],
                self._share,
                tallies[:, arm, 0],
                tallies[:, arm, 1],
                tallies[:, 0, 0],
                tallies[:, 0, 1],
            ),
            closed_ratio(self._closed, arm),
            closed_fractions(self._closed, arm),
        )

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        for part in (self._pending, self._first, self._tallies):
            part.keep(kept)


class LimitTrack(_Drawn):
    """Unit-windows and unit totals since each start, without shared outages, and closed units."""

    def __init__(self, metric: Metric, shape: tuple[int, int, int], crowd: Crowd, closes_s: float) -> None:
        super().__init__(shape, crowd, crowd.by_window, closes_s)
        self._limit = 1.0 - (metric.quantile or 0.0)
        self._since = Since((shape[0], shape[2], troubles.COLUMNS), every_s=starts.WINDOWS_EVERY_S)
        self._outages = Recent(_ALARM_S)

    def draw(self, rng: Generator, kinds: IntArray, chance: FloatArray, span: Span) -> None:
        """Draw the span's exceedances; a span in which the baseline breaks the limit too is left out."""
        sums = self._draw(rng, kinds, chance, span)
        by_arm = sums.sum(axis=1)
        minutes = max(span.lasts_s / _MINUTE_S, 1.0)
        is_outage = slo.is_environment(
            by_arm[:, 0, X] / minutes,
            np.minimum(by_arm[:, 0, Y], by_arm[:, 0, X]) / minutes,
            limit=self._limit,
        )
        self._since.add(np.where(is_outage[:, np.newaxis, np.newaxis], 0.0, by_arm), span.to_s)
        self._outages.add(span.from_s, span.to_s, is_outage.astype(np.float64))

    def evidence(self, arm: int) -> LimitEvidence:
        """Return what a look sees of one candidate."""
        own = self._since.since_each()[:, :, arm]
        windows = own[..., TRIALS].astype(np.int64)
        return LimitEvidence(
            self._since.index,
            windows,
            np.minimum(own[..., HITS], windows),
            troubles.joint(own),
            own[..., NONZERO].astype(np.int64),
            closed_fractions(self._closed, arm),
            self._outages.mean() > 0.5,  # noqa: PLR2004 (more than half of the time)
        )

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        for part in (self._pending, self._since, self._outages):
            part.keep(kept)


class LatencyTrack(_Drawn):
    """Requests beyond the baseline's own quantile, with the margin in the candidate's threshold."""

    def __init__(self, metric: Metric, shape: tuple[int, int, int], crowd: Crowd, closes_s: float) -> None:
        super().__init__(shape, crowd, crowd.by_minute, closes_s)
        self._reach = float(ndtri(metric.quantile or 0.5))
        self._margin = metric.margin or 0.0
        self._since = Since((*shape, troubles.COLUMNS), every_s=starts.WINDOWS_EVERY_S)

    def draw(self, rng: Generator, kinds: IntArray, slowness: FloatArray, span: Span) -> None:
        """Draw the span's exceedances from how slow each arm is beside the frozen baseline."""
        threshold = np.full(slowness.shape[1], 1.0 + self._margin)
        threshold[0] = 1.0
        beyond = self._reach + np.log(threshold / slowness) / SPREAD
        self._since.add(self._draw(rng, kinds, ndtr(-beyond), span), span.to_s)

    def evidence(self, arm: int) -> LatencyEvidence:
        """Return what a look sees of one candidate."""
        own = self._since.since_each()[:, :, :-1]
        control, candidate = own[:, :, :, 0], own[:, :, :, arm]
        return LatencyEvidence(
            self._since.index,
            candidate[..., HITS].sum(axis=-1).astype(np.int64),
            control[..., HITS].sum(axis=-1).astype(np.int64),
            troubles.joint(candidate),
            troubles.joint(control),
            candidate[..., NONZERO].sum(axis=-1).astype(np.int64),
            control[..., NONZERO].sum(axis=-1).astype(np.int64),
            closed_ratio(self._closed, arm),
        )

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        for part in (self._pending, self._since):
            part.keep(kept)


class FallbackTrack(_Drawn):
    """Requests that the baseline answered in the candidate's place."""

    def __init__(self, shape: tuple[int, int, int], crowd: Crowd, closes_s: float) -> None:
        super().__init__(shape, crowd, crowd.by_request, closes_s)

    def draw(self, rng: Generator, kinds: IntArray, chance: FloatArray, span: Span) -> None:
        """Draw who was answered by the baseline instead."""
        self._draw(rng, kinds, chance, span)

    def evidence(self, arm: int) -> ClosedFractions | None:
        """Return the candidate's closed units, or nothing before any can have closed."""
        return closed_fractions(self._closed, arm) if self._pending.days else None

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._pending.keep(kept)
