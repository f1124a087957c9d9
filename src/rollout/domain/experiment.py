"""Where a run stands: recorded state, from which everything that should be true can be derived again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rollout.domain.assignment import Split
from rollout.domain.policy import Policy, Step


class Phase(StrEnum):
    """Where a run stands, in one word."""

    RUNNING = "running"
    PAUSED = "paused"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"
    STOPPED = "stopped"
    ACTION_FAILED = "action-failed"


ENDED = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.STOPPED})
"""Phases in which nothing is decided any more."""


class JobState(StrEnum):
    """What is known of an action that was started."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked of a run, with who and why, until a decision has answered it."""

    who: str
    why: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Experiment:
    """One revision of one policy's run; times are microseconds since the epoch."""

    uid: str
    policy: Policy
    revision: int
    phase: Phase
    step: int
    started_us: int
    step_entered_us: int
    fresh_us: int
    """When evidence was last fresh and complete."""
    rollback_failed: bool = False
    """Whether the action that failed was a rollback's: then traffic stays at zero."""
    rollback_wish: Wish | None = None
    latches: Mapping[str, float] = field(default_factory=dict)

    @property
    def current_step(self) -> Step:
        """The step that the run is in."""
        return self.policy.steps[self.step]

    @property
    def is_last_step(self) -> bool:
        """Whether no weight step follows."""
        return self.step == len(self.policy.steps) - 1


def split_of(experiment: Experiment) -> Split:
    """Return the traffic that recorded state asks for; every tick derives it anew."""
    match experiment.phase:
        case Phase.RUNNING | Phase.PAUSED | Phase.PROMOTING:
            return Split(steps_on=experiment.step + 1)
        case Phase.PROMOTED:
            return Split(is_promoted=True)
        case Phase.ACTION_FAILED:
            return Split(steps_on=0 if experiment.rollback_failed else experiment.step + 1)
        case Phase.ROLLING_BACK | Phase.ROLLED_BACK | Phase.STOPPED:
            return Split(steps_on=0)
