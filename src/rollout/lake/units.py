"""Units are stored as keyed hashes: no id of a person leaves the node that saw it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from rollout.errors import Problem, WrongSettings

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

    def key_of(self, text: str) -> int:
        """Return an idempotency key as a number: applications put ids into these too."""
        return self._number(b"key:" + text.encode())

    def _number(self, text: bytes) -> int:
        digest = hashlib.blake2b(text, digest_size=8, key=self.key).digest()
        return int.from_bytes(digest, "big", signed=True)
