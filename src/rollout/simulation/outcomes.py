"""Evidence of reported outcomes, drawn: successes and values of units, closed when their window is over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from rollout.domain.evidence import BinaryEvidence, MeanEvidence
from rollout.simulation import values
from rollout.simulation.levels import Span
from rollout.simulation.tracks import Pending
from rollout.simulation.values import Values
from rollout.stats.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Pooled:
    """Closed units of each arm in one pot, the rest beside the control: [replicate, arm]."""

    n: FloatArray
    mean: FloatArray
    variance: FloatArray


class BinaryTrack:
    """Closed units and successes by enrolment day and block."""

    def __init__(self, shape: tuple[int, int, int], closes_s: float, days: int) -> None:
        self._pending = Pending((*shape, 2), window_s=closes_s, days=days)

    def draw(self, rng: Generator, units: IntArray, level: FloatArray, span: Span, day_from_s: float) -> None:
        """Draw who of the units that came will succeed within the window; exact."""
        won = rng.binomial(units, level[:, np.newaxis])
        sums = np.stack([units, won], axis=-1).astype(np.float64)
        self._pending.add(span.from_s, span.to_s, sums, day_from_s=day_from_s)

    def close(self, watermark_s: FloatArray) -> None:
        """Close the units for which everything is filed."""
        self._pending.close(watermark_s)

    def evidence(self, arm: int) -> BinaryEvidence | None:
        """Return what a look sees of one candidate, or nothing before any unit has closed."""
        if not self._pending.days:
            return None
        closed = self._pending.closed[:, :, :-1].astype(np.int64)
        return BinaryEvidence(closed[..., 0, 0], closed[..., 0, 1], closed[..., arm, 0], closed[..., arm, 1])

    def pooled(self) -> Pooled:
        """Return what somebody sees who adds everything up."""
        total = self._pending.closed.sum(axis=(1, 2))
        n = total[..., 0]
        mean = total[..., 1] / np.maximum(n, 1.0)
        return Pooled(n, mean, mean * (1.0 - mean))

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._pending.keep(kept)


class ValueTrack:
    """Closed units' values by enrolment day and block."""

    def __init__(self, drawn: Values, shape: tuple[int, int, int], closes_s: float, days: int) -> None:
        self._values = drawn
        self._pending = Pending((*shape, drawn.width), window_s=closes_s, days=days)

    def draw(self, rng: Generator, units: IntArray, level: FloatArray, span: Span, day_from_s: float) -> None:
        """Draw what the units that came will be worth within the window."""
        spread = np.broadcast_to(level[:, np.newaxis], units.shape)
        sums = self._values.drawn(rng, units, spread)
        self._pending.add(span.from_s, span.to_s, sums, day_from_s=day_from_s)

    def close(self, watermark_s: FloatArray) -> None:
        """Close the units for which everything is filed."""
        self._pending.close(watermark_s)

    def evidence(self, arm: int) -> MeanEvidence | None:
        """Return what a look sees of one candidate, or nothing before any unit has closed."""
        if not self._pending.days:
            return None
        closed, columns = self._pending.closed[:, :, :-1], self._values.columns
        return MeanEvidence(
            values.joint(closed[..., 0, :], columns),
            values.joint(closed[..., arm, :], columns),
            closed[..., 0, 1].sum(axis=-1).astype(np.int64),
            closed[..., arm, 1].sum(axis=-1).astype(np.int64),
        )

    def pooled(self) -> Pooled:
        """Return what somebody sees who adds everything up; of a ratio, its linearised values."""
        total = self._pending.closed.sum(axis=(1, 2))
        moments = values.joint(total, self._values.columns)
        n = np.maximum(moments.n, 1.0)
        if not self._values.is_ratio:
            return Pooled(moments.n, moments.mean[..., 0], moments.scatter[..., 0, 0] / n)
        below = np.maximum(moments.mean[..., 1], 1e-12)
        ratio = moments.mean[..., 0] / below
        scatter = moments.scatter
        spread = scatter[..., 0, 0] - 2 * ratio * scatter[..., 0, 1] + ratio**2 * scatter[..., 1, 1]
        return Pooled(moments.n, ratio, np.maximum(spread, 0.0) / n / below**2)

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._pending.keep(kept)
