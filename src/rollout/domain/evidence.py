"""What is known at one look, as sums over units; what could not be measured is absent.

Every array may have leading axes of replicates, the same for all: `[..., day, block]` is one experiment's
`[day, block]`, or that of a thousand simulated ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

import numpy as np

from rollout.domain.policy import Policy
from rollout.domain.quality import NOTHING_ASKED, Quality
from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from rollout.stats.moments import JointMoments

Counts: TypeAlias = IntArray | int
"""A whole number, or one for each replicate."""
Sums: TypeAlias = FloatArray | float
Flags: TypeAlias = BoolArray | bool


@dataclass(frozen=True, slots=True)
class BinaryEvidence:
    """Closed units of a binary outcome and how many of them succeeded, [..., enrolment day, block]."""

    control_units: IntArray
    control_successes: IntArray
    candidate_units: IntArray
    candidate_successes: IntArray


@dataclass(frozen=True, slots=True)
class MeanEvidence:
    """Closed units' values, [..., enrolment day, block], and how many are not zero, [..., enrolment day].

    Columns: the value, or numerator and denominator; then the covariate, if the metric has one.
    """

    control: JointMoments
    candidate: JointMoments
    control_nonzero: IntArray
    candidate_nonzero: IntArray


@dataclass(frozen=True, slots=True)
class ClosedRatio:
    """Closed units [..., block], with their events y and requests x as columns; how many had an event."""

    control: JointMoments
    candidate: JointMoments
    control_nonzero: Counts
    candidate_nonzero: Counts


@dataclass(frozen=True, slots=True)
class ClosedFractions:
    """The candidate's closed units [...]: each one's own fraction added up, and all totals (y, x)."""

    units: Counts
    fraction_sum: Sums
    totals: JointMoments


@dataclass(frozen=True, slots=True)
class FirstErrors:
    """Units with a first error since each start, [..., start, split], and the request tallies beside them."""

    start_index: IntArray
    candidate: IntArray
    comparison: IntArray
    """All eligible units that the baseline serves, without those of stopped candidates."""
    share: FloatArray
    """The candidate's share of the buckets compared, [split]."""
    candidate_requests: Counts
    candidate_errors: Counts
    comparison_requests: Counts
    comparison_errors: Counts


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
    """Unit-windows of 10 s outside shared outages, [..., start]."""
    window_fractions: FloatArray
    """Their exceedance fractions added up, [..., start]."""
    totals: JointMoments
    """Unit totals (exceedances, requests) since each start, [..., start]."""
    exceeding_units: IntArray
    fractions: ClosedFractions
    outage_dominates: Flags
    is_empty: Flags = False
    """No unit of either arm has closed: once one should have, it is missing, but for harm."""


@dataclass(frozen=True, slots=True)
class LatencyEvidence:
    """Requests beyond the frozen quantile: the candidate's over q0(1+m), the control's over q0."""

    start_index: IntArray
    candidate_minutes: IntArray
    """Unit-minutes with such a request since each start, [..., start]."""
    control_minutes: IntArray
    candidate: JointMoments
    """Unit totals (exceedances, requests) since each start, [..., start, block]."""
    control: JointMoments
    candidate_exceeding: IntArray
    """Distinct units with such a request since each start, [..., start]."""
    control_exceeding: IntArray
    ratio: ClosedRatio


class Poll(IntEnum):
    """What one poll of a metrics server came to."""

    BREACH = -1
    GAP = 0
    """Not measured: no answer, no value, or not asked in time."""
    GOOD = 1


@dataclass(frozen=True, slots=True)
class PollEvidence:
    """Polls compared with their bound, as `Poll`'s numbers, the newest last, [..., poll].

    As far back as `failureLimit` measured ones; a gap neither counts nor resets.
    """

    polls: IntArray
    latest: Sums | None = None
    """The last measured value, to read."""


@dataclass(frozen=True, slots=True)
class MirrorEvidence:
    """Copies that a shadow answered or failed, [...]: they prove nothing, but must arrive."""

    copies: Counts
    failures: Counts


@dataclass(frozen=True, slots=True)
class ArmEvidence:
    """One candidate beside the control, by metric name; what is not in its mapping was not measured."""

    binary: Mapping[str, BinaryEvidence] = field(default_factory=dict)
    means: Mapping[str, MeanEvidence] = field(default_factory=dict)
    errors: Mapping[str, ErrorEvidence] = field(default_factory=dict)
    limits: Mapping[str, LimitEvidence] = field(default_factory=dict)
    latencies: Mapping[str, LatencyEvidence] = field(default_factory=dict)
    polls: Mapping[str, PollEvidence] = field(default_factory=dict)
    fallbacks: ClosedFractions | None = None
    """Closed units by the share of their requests that the baseline answered instead."""
    mirrored: MirrorEvidence | None = None
    """Only while copies are sent."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that one look rests on; during a watch, everything since the watch began."""

    watermark_us: int | None
    """Everything before it is filed and joined (the slow loop's)."""
    fast_watermark_us: int | None
    """The same for the proxy's own records."""
    first_enrolled_us: Counts | None
    """When the first unit came; until it can have closed nothing is missing."""
    enrolled: IntArray
    """Distinct units, [..., stratum, arm], since a person last cleared a mismatch, or the start.

    A stratum is a block; when a candidate stops, every block opens a new one.
    """
    units_in_step: IntArray
    """Distinct units enrolled since the step began, [..., arm]: the control's, then each candidate's."""
    arms: tuple[ArmEvidence, ...]
    """One for each candidate of the policy, in its order; a stopped one's is not read."""
    enrolled_arms: BoolArray | None = None
    """Which arms each stratum's units fall to, [..., stratum, arm]; nothing when it is all of them."""
    lag_us: Counts = 0
    """By how much a replicate's watermarks lie behind those above, [...]."""
    quality: Quality = NOTHING_ASKED
    """What is known of the records that all this was counted from."""


def nothing_known(policy: Policy) -> Evidence:
    """Return a look at which nothing could be asked: every metric is absent, and no watermark is known."""
    return Evidence(
        watermark_us=None,
        fast_watermark_us=None,
        first_enrolled_us=None,
        enrolled=np.zeros((1, policy.arms), dtype=np.int64),
        units_in_step=np.zeros(policy.arms, dtype=np.int64),
        arms=(ArmEvidence(),) * len(policy.candidates),
    )
