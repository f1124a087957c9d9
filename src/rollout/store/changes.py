"""What one transaction changed in the counts, so that what is kept in memory can follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from rollout.domain.records import UnitWindow


class ErrorChange(NamedTuple):
    """An error event that came (`change` 1) or went (-1), with the time of its unit's error before."""

    run_id: int
    arm: str
    split: int
    ts_us: int
    previous_us: int
    change: int


class ArmWindow(NamedTuple):
    """What came to an arm's ten seconds."""

    threshold: int
    arm: str
    window: int
    units: int
    fraction_nano: int
    requests: int
    exceedances: int


class ArmTotal(NamedTuple):
    """What an arm's units did before the windows that are kept, as it is now."""

    threshold: int
    arm: str
    units: int
    fraction_nano: int
    outage_units: int
    slow_minutes: int


@dataclass(slots=True)
class Changes:
    """Everything of one transaction."""

    requests: list[tuple[int, str, int, int, int]] = field(default_factory=list)
    """(run, arm, minute, requests, errors) that came."""
    errors: list[ErrorChange] = field(default_factory=list)
    first_errors: list[tuple[int, str, int, int]] = field(default_factory=list)
    """(run, arm, split, units): first errors ever, more or fewer."""
    arm_windows: list[ArmWindow] = field(default_factory=list)
    unit_windows: list[UnitWindow] = field(default_factory=list)
    """What came and was not left out."""
    folded_before: int | None = None
    """Windows before this one are totals now."""
    arm_totals: list[ArmTotal] = field(default_factory=list)
    has_left_out: bool = False
    """Whether something was left out: the counts of a run lack it from now on."""
