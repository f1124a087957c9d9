"""What a look says of one question: log e-values of proof and harm, or a state, with an estimate to read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.domain.evidence import Flags, Sums
from rollout.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric at one look, [...], oriented so that a positive score is on the proven side."""

    log_e_proof: Sums
    log_e_harm: Sums
    score: Sums
    estimate: Sums
    has_estimate: Flags
    interval: Interval
    is_superiority: bool = False
    is_outage: Flags = False
    is_immature: Flags = False
    """Harm can be seen already, but no unit has closed that could prove anything."""
    is_empty: Flags = False
    """No unit of either arm has closed: as good as not measured, but for harm."""


def with_harm(safety: Measured, log_e_harm: Sums) -> Measured:
    """Return what is known of safety beside what is known of harm."""
    return replace(safety, log_e_harm=log_e_harm)


@dataclass(frozen=True, slots=True)
class Polled:
    """A threshold at one look, [...]: a state, outside every error budget."""

    is_harmed: Flags
    is_safe: Flags
    is_empty: Flags
    """None of the last polls was measured."""
    latest: Sums | None
