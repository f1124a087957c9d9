"""What may go wrong in one world, how often, and until when; half of the kinds never do in any one world."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

OFTENEST: Final[Mapping[str, float]] = {
    "cut off": 0.03,
    "held up": 0.08,
    "slow": 0.5,
    "done twice": 0.1,
    "ledger away": 0.15,
    "ledger's reply lost": 0.15,
    "evidence away": 0.4,
    "evidence partly away": 0.4,
    "evidence repeated": 0.4,
    "evidence from the future": 0.2,
    "evidence garbled": 0.2,
    "traffic away": 0.3,
    "traffic's reply lost": 0.3,
    "node cut off": 0.05,
    "node late": 0.5,
    "jobs away": 0.3,
    "jobs' reply lost": 0.3,
    "job outlives a stop": 0.6,
    "job hangs": 0.3,
    "clock jumps": 0.05,
    "takeover": 0.2,
}
"""The largest chance of each, for every time that it could happen."""
_LEAST: Final = 20.0


@dataclass
class Faults:
    """Chance of one world, and what goes wrong in it until it is calm."""

    chance: random.Random
    shares: Mapping[str, float]
    is_calm: bool = False
    struck: Counter[str] = field(default_factory=Counter)

    @classmethod
    def drawn(cls, chance: random.Random, without: Collection[str] = ()) -> Faults:
        """Return what goes wrong in a world; some kinds never do, so that others are met undisturbed."""
        shares = {kind: _share(chance, most) for kind, most in OFTENEST.items()}
        return cls(chance, {kind: 0.0 if kind in without else share for kind, share in shares.items()})

    def strikes(self, kind: str) -> bool:
        """Return whether this goes wrong now."""
        share = self.shares[kind]
        if self.is_calm or share == 0.0 or self.chance.random() >= share:
            return False
        self.struck[kind] += 1
        return True


def _share(chance: random.Random, most: float) -> float:
    is_on, depth = chance.random() < 0.5, chance.random()
    return most * math.exp(-depth * math.log(_LEAST)) if is_on else 0.0
