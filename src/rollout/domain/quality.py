"""What is known of the records themselves: how fresh, how whole, how often told; absence is a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rollout.stats.arrays import FloatArray, IntArray

EXPOSURES: Final = "exposures"
"""A node's requests: who was enrolled, what failed, how long it took."""
OUTCOMES: Final = "outcomes"
"""What applications told a node."""
POLLS: Final = "polls"
"""What a metrics server answered."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One source of records, and before when everything of it is filed; None while it has not said."""

    name: str
    kind: str
    watermark_us: int | None
    seen_us: int
    bad_lines: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of a node's log that it handed in and that no file of the lake holds."""

    kind: str
    node: str
    log: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that a node says it will never hand in; 0 rows when it does not know how many."""

    kind: str
    node: str
    rows: int
    to_us: int


@dataclass(frozen=True, slots=True)
class Told:
    """Rows of one outcome, of a run's units: told in all, and what of them does not count."""

    rows: int
    repeated: int = 0
    """The same key with the same content again: harmless."""
    conflicting: int = 0
    """The same key with another content: one of the two is dropped."""
    wrong_value: int = 0
    """A value that a metric of this type cannot use."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Closed units of all arms by the ten minutes of their enrolment, and how many had any outcome."""

    first_us: int
    """When the first slice begins."""
    units: IntArray
    reporting: IntArray
    log_e: FloatArray | None = None
    """`reporting.log_e_by_slice` of a moment ago, where it was computed already."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What a look knows of its own records; what was not asked is empty, and casts no doubt."""

    feeds: tuple[Feed, ...] = ()
    gaps: tuple[Gap, ...] = ()
    losses: tuple[Loss, ...] = ()
    units: int | None = None
    """Distinct enrolled units, with those seen in two arms."""
    two_armed: int | None = None
    ahead: int | None = None
    """Units that begin in the future, and requests that are years away: somebody's clock is wrong."""
    told: Mapping[str, Told] = field(default_factory=dict)
    """By metric."""
    reports: Mapping[str, Reports] = field(default_factory=dict)
    """By metric."""
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    """Why a source could not measure a metric; it words an absence, and makes none."""

    def slowest(self, kinds: tuple[str, ...]) -> Feed | None:
        """Return which source of these kinds holds the watermark: a silent one, or the furthest behind."""
        own = [one for one in self.feeds if one.kind in kinds]
        silent = next((one for one in own if one.watermark_us is None), None)
        return silent or min(own, key=lambda one: one.watermark_us or 0, default=None)


NOTHING_ASKED: Final = Quality()
"""Of records that nobody asked about nothing is known."""
