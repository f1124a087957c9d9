"""What is true of every candidate in a simulated world, and what a source of evidence says of it.

What it hands out is kept, so that a promotion can be checked against it without asking the decision.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np

from rollout.domain.basis import settled
from rollout.domain.evidence import ArmEvidence, Evidence, MirrorEvidence, nothing_known
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import MirrorStep
from rollout.ports import Observed
from tests.domain.scenes import NOW_US, SECOND_US, changed, evidence

LAG_US: Final = SECOND_US // 10
UNITS: Final = 40_000


class Kind(StrEnum):
    """What a source has to say of one candidate."""

    GOOD = "good"
    NULL = "null"
    """As good as the baseline: nothing will ever be proven."""
    BROKEN = "broken"
    """Its errors are proven harm, while it would otherwise be proven better."""
    SLOW = "slow"
    """It breaks its limit, which alone counts after a promotion."""
    UNKNOWN = "unknown"
    """A metric that should exist by now is absent."""


class Plot(StrEnum):
    """How a candidate fares through its life."""

    BETTER = "better"
    EQUAL = "equal"
    BREAKS = "breaks"
    SLOWS_DOWN = "slows down"
    REGRETTED = "regretted"
    """It is good until everybody gets it."""
    NEVER_MEASURED = "never measured"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one candidate of one revision, and when."""

    plot: Plot
    turns_s: float

    def at(self, now_s: float, phase: Phase) -> Kind:
        """Return what is true now."""
        has_turned = now_s >= self.turns_s
        match self.plot:
            case Plot.BETTER:
                return Kind.GOOD if has_turned else Kind.NULL
            case Plot.EQUAL:
                return Kind.NULL
            case Plot.BREAKS:
                return Kind.BROKEN if has_turned else Kind.GOOD
            case Plot.SLOWS_DOWN:
                return Kind.SLOW if has_turned else Kind.GOOD
            case Plot.REGRETTED:
                return Kind.SLOW if phase is Phase.WATCHING else Kind.GOOD
            case Plot.NEVER_MEASURED:
                return Kind.UNKNOWN


@dataclass(frozen=True, slots=True)
class Handed:
    """What a source said at one look, as it meant it."""

    kinds: tuple[Kind, ...]
    evidence: Evidence
    split_holds: bool
    is_whole: bool
    """Whether no more was left out than is unknown anyway."""
    revision: int = 1


@dataclass
class Truth:
    """What is true of all runs."""

    chance: random.Random
    fates: dict[tuple[str, int], tuple[Fate, ...]] = field(default_factory=dict)
    uneven_from_s: dict[str, float] = field(default_factory=dict)
    """Since when units of a run do not fall to the arms as split."""
    is_drawn: bool = True
    """Whether something is true of every run; else nothing is known of runs without a fate."""

    def fates_of(self, run: Experiment) -> tuple[Fate, ...]:
        """Return what becomes of a revision's candidates; it is drawn when it is first asked for."""
        key = (run.uid, run.revision)
        if key not in self.fates:
            self.fates[key] = tuple(self._drawn() for _ in run.policy.candidates)
            if self.chance.random() < 0.05:
                self.uneven_from_s[run.uid] = self.chance.uniform(0, 40)
        return self.fates[key]

    def kinds(self, run: Experiment, now_s: float) -> tuple[Kind, ...]:
        """Return what is true of each candidate now."""
        return tuple(fate.at(now_s, run.phase) for fate in self.fates_of(run))

    def is_even(self, run: Experiment, now_s: float) -> bool:
        """Return whether units fall to the arms as split."""
        return now_s < self.uneven_from_s.get(run.uid, now_s + 1)

    def seen(self, run: Experiment, now_s: float) -> Handed:
        """Return all that can be known of a run now."""
        if not self.is_drawn and (run.uid, run.revision) not in self.fates:
            return Handed((), nothing_known(run.policy), split_holds=True, is_whole=False)
        kinds, is_even = self.kinds(run, now_s), self.is_even(run, now_s)
        is_mirrored = isinstance(run.current_step, MirrorStep)
        mark_us = NOW_US + round(now_s * SECOND_US) - LAG_US
        found = replace(
            whole(kinds, is_even=is_even, is_mirrored=is_mirrored),
            watermark_us=mark_us,
            fast_watermark_us=mark_us,
        )
        return Handed(kinds, found, is_even, is_whole=True, revision=run.revision)

    def _drawn(self) -> Fate:
        plot = self.chance.choices(list(Plot), weights=(8, 2, 4, 2, 2, 1))[0]
        return Fate(plot, self.chance.uniform(0, 45))


@cache
def whole(kinds: tuple[Kind, ...], *, is_even: bool, is_mirrored: bool) -> Evidence:
    """Return everything that can be measured of candidates like these; the same object for the same ones."""
    arms = 1 + len(kinds)
    enrolled = np.full((1, arms), UNITS)
    if not is_even:
        enrolled[0, -1] = UNITS // 2
    found = replace(
        evidence(units=UNITS),
        enrolled=enrolled,
        units_in_step=np.full(arms, UNITS // 2),
        arms=tuple(_arm(kind, is_mirrored=is_mirrored) for kind in kinds),
    )
    return settled(found)


@cache
def _arm(kind: Kind, *, is_mirrored: bool) -> ArmEvidence:
    mirrored = MirrorEvidence(200, 0) if is_mirrored else None
    return replace(_MEASURED[kind], mirrored=mirrored)


_MEASURED: Final[Mapping[Kind, ArmEvidence]] = {
    Kind.GOOD: settled(evidence(units=UNITS)).arms[0],
    Kind.NULL: settled(evidence(units=UNITS, converted=0.12)).arms[0],
    Kind.BROKEN: settled(evidence(units=UNITS, errors=0.2)).arms[0],
    Kind.SLOW: settled(evidence(units=UNITS, exceeding=0.1)).arms[0],
    Kind.UNKNOWN: settled(changed(evidence(units=UNITS), binary={})).arms[0],
}


def observed(handed: Handed, *problems: Exception) -> Observed:
    """Return an answer as the controller gets it."""
    return Observed(handed.evidence, problems)
