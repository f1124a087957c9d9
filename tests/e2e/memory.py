"""What users remember: each request with all its attempts, and each outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one request: from before its first byte was sent until its answer's last, or its end."""

    began_us: int
    ended_us: int
    was_sent: bool = True
    code: int | None = None
    """Nothing when the connection ended before the whole answer, or could not be opened."""
    arm: str | None = None
    """What `x-rollout-variant` said."""
    version: str | None = None
    """Which model answered: another than the arm's after a fallback."""
    is_whole: bool = True
    """Whether who answered had received the whole body."""


@dataclass(slots=True)
class Asked:
    """One request of one user."""

    unit: str | None
    number: int
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def ended_us(self) -> int:
        """When its last attempt ended."""
        return self.attempts[-1].ended_us if self.attempts else 0

    @property
    def answer(self) -> Attempt | None:
        """The attempt that was answered: the last one, or none."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.code is not None else None


@dataclass(slots=True)
class Posted:
    """One outcome, and what became of it."""

    unit: str
    metric: str
    ts_us: int
    value: float
    posts: int = 0
    """How many times it was sent."""
    is_acknowledged: bool = False


@dataclass(slots=True)
class Memory:
    """What a crowd met: every request, and every outcome by its key."""

    asked: list[Asked] = field(default_factory=list)
    posted: dict[str, Posted] = field(default_factory=dict)

    @property
    def arms(self) -> dict[str, str]:
        """The arm that last answered each unit."""
        return {unit: answer.arm or "" for unit, answer in self._answered()}

    @property
    def failures(self) -> list[int]:
        """Answers that were an error: there should be none."""
        return [answer.code or 0 for _, answer in self._answered() if answer.code != httpx.codes.OK]

    @property
    def cut_off(self) -> set[str]:
        """Units whose connection broke, so that nobody knows whether Envoy noted them."""
        return {
            asked.unit
            for asked in self.asked
            for attempt in asked.attempts
            if asked.unit is not None and attempt.was_sent and attempt.code is None
        }

    @property
    def told(self) -> set[str]:
        """Units whose outcome was acknowledged."""
        return {one.unit for one in self.posted.values() if one.is_acknowledged}

    def _answered(self) -> Iterator[tuple[str, Attempt]]:
        for asked in self.asked:
            answer = asked.answer
            if (
                asked.unit is not None and answer is not None and answer.arm is not None
            ):  # the route is served
                yield asked.unit, answer
