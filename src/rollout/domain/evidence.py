"""What is known at one look, as sums over units; what could not be measured is absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.stats.arrays import FloatArray, IntArray
from rollout.stats.moments import JointMoments


@dataclass(frozen=True, slots=True)
class BinaryEvidence:
    """Closed units of a binary outcome and how many of them succeeded, [enrolment day, block]."""

    control_units: IntArray
    control_successes: IntArray
    candidate_units: IntArray
    candidate_successes: IntArray


@dataclass(frozen=True, slots=True)
class ClosedRatio:
    """Closed units by block, with their events y and requests x as columns, and how many had an event."""

    control: JointMoments
    candidate: JointMoments
    control_nonzero: int
    candidate_nonzero: int


@dataclass(frozen=True, slots=True)
class ClosedFractions:
    """The candidate's closed units: each one's own fraction added up, and all totals (y, x)."""

    units: int
    fraction_sum: float
    totals: JointMoments


@dataclass(frozen=True, slots=True)
class FirstErrors:
    """Units with a first error since each start, [start, split], and the request tallies beside them."""

    start_index: IntArray
    candidate: IntArray
    comparison: IntArray
    share: FloatArray
    """The candidate's share of the buckets compared, [split]."""
    candidate_requests: int
    candidate_errors: int
    comparison_requests: int
    comparison_errors: int


@dataclass(frozen=True, slots=True)
class ErrorEvidence:
    """Errors of the assigned version's first attempt: early harm beside proof of safety."""

    first: FirstErrors
    ratio: ClosedRatio
    fractions: ClosedFractions


@dataclass(frozen=True, slots=True)
class LimitEvidence:
    """The candidate's exceedances: windows and unit totals since each start, closed units beside."""

    start_index: IntArray
    windows: IntArray
    """Unit-windows of 10 s outside shared outages, [start]."""
    window_fractions: FloatArray
    """Their exceedance fractions added up, [start]."""
    totals: JointMoments
    """Unit totals (exceedances, requests) since each start, [start]."""
    exceeding_units: IntArray
    fractions: ClosedFractions
    outage_dominates: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that one look rests on; a metric that is not in its mapping could not be measured."""

    watermark_us: int | None
    """Everything before it is filed and joined (the slow loop's)."""
    fast_watermark_us: int | None
    """The same for the proxy's own records."""
    first_enrolled_us: int | None
    """When the first unit came; until it can have closed nothing is missing."""
    enrolled: IntArray
    """Distinct units, [block, arm]."""
    units_in_step: tuple[int, int]
    """Distinct units enrolled since the step began, control and candidate."""
    binary: Mapping[str, BinaryEvidence]
    errors: Mapping[str, ErrorEvidence]
    limits: Mapping[str, LimitEvidence]
    fallbacks: ClosedFractions | None
    """The candidate's closed units by the share of their requests that the baseline answered instead."""
