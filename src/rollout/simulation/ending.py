"""How one simulated life of a policy ended, and what the naive rule made of the same users."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollout.domain.decision import Action, Decision, Reason


class Outcome(StrEnum):
    """Where a life ends: where a person, or nobody, is needed next."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    PAUSED = "paused"
    STOPPED = "stopped"
    """The last copies were sent: nothing is promoted."""
    RUNNING = "running"
    """No end within the time that was simulated."""
    UNDECIDED = "undecided"
    """Of the naive rule: nothing was significant while there was anything to see."""


ENDS = {
    Action.PROMOTE: Outcome.PROMOTED,
    Action.ROLL_BACK: Outcome.ROLLED_BACK,
    Action.PAUSE: Outcome.PAUSED,
    Action.STOP: Outcome.STOPPED,
}
"""With these decisions a life is over."""


@dataclass(frozen=True, slots=True)
class NaiveEnding:
    """What the naive rule did with the same users."""

    outcome: Outcome
    at_s: float | None
    was_harmful: bool
    """Whether what it promoted was harmful just then."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one life."""

    outcome: Outcome
    decision: Decision
    """The last one."""
    at_s: float
    exposed: int
    """Users who met a version that was harmful just then."""
    tried: int
    """Users who met a candidate."""
    was_harmful: bool
    """Whether what was promoted was harmful just then."""
    naive: NaiveEnding | None

    @property
    def reason(self) -> Reason:
        """Why it ended."""
        return self.decision.reason


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at one life: the first goal's lift as it is, as we see it, and as the naive rule does."""

    at_s: float
    weight: float
    truth: float
    ours: float | None
    low: float | None
    high: float | None
    naive: float | None
