"""Exact sums over units, added up and handed to the statistics without rounding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rollout.domain.evidence import ClosedFractions
from rollout.domain.records import NANO, RatioSums, Stratum
from rollout.stats.moments import JointMoments


def fractions(found: Mapping[Stratum, RatioSums], arm: str) -> ClosedFractions:
    """Return an arm's closed units over all blocks and days."""
    total = added(found, arm, None)
    return ClosedFractions(total.units, total.fraction_nano / NANO, _moments([total], ()))


def added(found: Mapping[Stratum, RatioSums], arm: str, number: int | None) -> RatioSums:
    """Return an arm's sums over days, of one block or of all."""
    own = [s for stratum, s in found.items() if stratum.arm == arm and number in {None, stratum.block}]
    return RatioSums(
        units=sum(s.units for s in own),
        nonzero=sum(s.nonzero for s in own),
        y=sum(s.y for s in own),
        x=sum(s.x for s in own),
        yy=sum(s.yy for s in own),
        xy=sum(s.xy for s in own),
        xx=sum(s.xx for s in own),
        fraction_nano=sum(s.fraction_nano for s in own),
    )


def joint(sums: list[RatioSums]) -> JointMoments:
    """Return exact sums as moments of (y, x), one entry each."""
    return _moments(sums, (len(sums),))


def _moments(sums: list[RatioSums], shape: tuple[int, ...]) -> JointMoments:
    return JointMoments.from_sums(
        np.array([s.units for s in sums], dtype=np.int64).reshape(shape),
        np.array([[s.y, s.x] for s in sums], dtype=np.object_).reshape(*shape, 2),
        np.array([[[s.yy, s.xy], [s.xy, s.xx]] for s in sums], dtype=np.object_).reshape(*shape, 2, 2),
    )
