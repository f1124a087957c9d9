"""What people ask of a run; each wish is answered by one decision, and none is acted on silently."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Asked(StrEnum):
    """What a person can ask for."""

    ROLLBACK = "rollback"
    PAUSE = "pause"
    RESUME = "resume"
    ADVANCE = "advance"
    """The next step now, whatever the present one still waits for."""
    PROMOTE = "promote"
    """Promotion now, whatever is not proven."""
    APPROVE = "approve"
    RETRY = "retry"
    """The action that failed, once more."""
    STOP = "stop"
    """No more traffic, and no verdict."""
    RETIRE = "retire"
    """No more route, after the end."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked of a run, with who and why, until a decision has answered it."""

    who: str
    why: str
    at_us: int
    kind: Asked = Asked.ROLLBACK
    group: str | None = None
    """In whose name a person approves."""
    arm: int | None = None
    """Which candidate should be promoted, or was shown to who approves, counted from 1."""
    overrules: bool = True
    """Whether it holds although the policy would not do it by itself; a person has to say so."""
    revision: int | None = None
    step: int | None = None
    """Where the run stood when it was asked for; elsewhere it means something else."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's consent to a promotion, in the name of a group."""

    group: str
    who: str
    why: str
    at_us: int
    arm: int | None = None
    """The candidate that was shown, counted from 1: no other one is approved of."""
