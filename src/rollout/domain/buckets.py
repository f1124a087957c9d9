"""Buckets: how a unit and a seed become a number from 0 to 9,999, the same for every reader."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import xxhash

from rollout.domain.policy import WHOLE_BP

HOLDOUT_SALT: Final = "holdout"
"""One for all policies: so a unit that one holdout spares, every holdout of that size spares."""
BLANKS: Final = " \t"


@dataclass(frozen=True, slots=True)
class Range:
    """The buckets lo ≤ b < hi."""

    lo: int
    hi: int

    def __contains__(self, bucket: int) -> bool:
        return self.lo <= bucket < self.hi

    @property
    def size(self) -> int:
        """How many buckets it holds, which is also its share in basis points."""
        return self.hi - self.lo

    def meets(self, other: Range) -> bool:
        """Return whether the two share a bucket."""
        return self.lo < other.hi and other.lo < self.hi


@lru_cache(maxsize=4096)
def seed_of(salt: str) -> int:
    """Return the unsigned 64-bit seed of a stable text."""
    return int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "big")


def bucket_of(unit: str | bytes, seed: int) -> int:
    """Return the bucket, 0 to 9,999, of a unit: blanks and tabs at both ends do not count, case does."""
    raw = unit.encode() if isinstance(unit, str) else unit
    return xxhash.xxh64_intdigest(raw.strip(BLANKS.encode()), seed=seed) % WHOLE_BP


def arm_salt(salt: str) -> str:
    """Return the text whose seed sorts a policy's units into arms."""
    return f"arm:{salt}"


def layer_salt(name: str) -> str:
    """Return the text whose seed sorts units into the ranges of a layer, independently of every arm."""
    return f"layer:{name}"
