"""Units are stored as keyed hashes: no id of a person leaves the node that saw it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rollout.errors import Problem, WrongSettings
from rollout.stats.arrays import BoolArray, IntArray

BLANKS = b" \t"
SHORTEST_KEY = 16
LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class UnitHash:
    """Hashes unit ids with the cluster's key; two keys never join, so every node has the same one."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that is too short to keep a secret, or too long for the hash."""
        if not SHORTEST_KEY <= len(self.key) <= LONGEST_KEY:
            raise WrongSettings(
                Problem(
                    "the cluster key",
                    f"must be {SHORTEST_KEY} to {LONGEST_KEY} bytes (got {len(self.key)})",
                    "draw one with: openssl rand -hex 32",
                )
            )

    def unit(self, raw: str | None) -> int | None:
        """Return a unit as a signed 64-bit number; blanks at both ends do not count, and blank is no unit.

        Among 100 million units some 0.0003 pairs are expected to share a number.
        """
        text = b"" if raw is None else raw.encode().strip(BLANKS)
        return self._number(text) if text else None

    def units(self, raw: Sequence[str | None]) -> tuple[IntArray, BoolArray]:
        """Return many units as `unit` does, and which of them are units."""
        texts = [b"" if one is None else one.encode().strip(BLANKS) for one in raw]
        keyed = self._keyed
        digests = []
        for text in texts:
            hashing = keyed.copy()
            hashing.update(text)
            digests.append(hashing.digest())
        numbers = np.frombuffer(b"".join(digests), dtype=">i8").astype(np.int64)
        known = np.fromiter(map(bool, texts), dtype=np.bool_, count=len(texts))
        return np.where(known, numbers, 0), known

    def key_of(self, text: str) -> int:
        """Return an idempotency key as a number: applications put ids into these too."""
        return self._number(b"key:" + text.encode())

    @property
    def _keyed(self) -> hashlib.blake2b:
        """A hash that has taken in the key: a copy of it costs less than taking it in again."""
        return hashlib.blake2b(digest_size=8, key=self.key)

    def _number(self, text: bytes) -> int:
        digest = hashlib.blake2b(text, digest_size=8, key=self.key).digest()
        return int.from_bytes(digest, "big", signed=True)
