"""What can be decided, and every reason for it; a reason owns one action, so the two cannot disagree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, unique


class Action(StrEnum):
    """What happens to an experiment."""

    HOLD = "hold"
    PAUSE = "pause"
    ADVANCE = "advance"
    PROMOTE = "promote"
    ROLL_BACK = "roll-back"
    SETTLE = "settle"
    """What was started has ended: the phase follows."""


@unique
class Reason(Enum):
    """Why: the action it owns, and a sentence for people."""

    PERSON_ROLLS_BACK = (Action.ROLL_BACK, "a person asked for it")
    METRIC_HARMED = (Action.ROLL_BACK, "a metric is proven worse than its margin")
    LIMIT_VIOLATED = (Action.ROLL_BACK, "a limit is proven violated, and the baseline keeps it")
    MISMATCH_ROLLS_BACK = (
        Action.ROLL_BACK,
        "units do not fall to the arms as split, and the policy rolls back",
    )
    INCONCLUSIVE_ROLLS_BACK = (Action.ROLL_BACK, "no proof came in time, and the policy rolls back")
    NO_DATA_ROLLS_BACK = (Action.ROLL_BACK, "evidence stayed away too long, and the policy rolls back")
    ROLLBACK_RUNNING = (Action.HOLD, "the rollback action is running; traffic is at zero already")
    ROLLBACK_DONE = (Action.SETTLE, "the rollback action has ended, or there is none")
    ROLLBACK_FAILED = (Action.SETTLE, "the rollback action failed; traffic is at zero all the same")
    PROMOTION_RUNNING = (Action.HOLD, "the promote action is running; traffic waits for it")
    PROMOTION_DONE = (Action.SETTLE, "the promote action has succeeded, or there is none")
    PROMOTION_FAILED = (Action.SETTLE, "the promote action failed; the last step's traffic stays")
    PAUSED = (Action.HOLD, "it is paused until a person resumes it")
    MISMATCH_PAUSES = (Action.PAUSE, "units do not fall to the arms as the policy split them")
    NO_DATA_PAUSES = (Action.PAUSE, "evidence stayed away longer than the policy waits")
    EVIDENCE_STALE = (Action.HOLD, "the evidence does not reach into this step yet")
    EVIDENCE_MISSING = (Action.HOLD, "a metric that should exist by now could not be measured")
    SHARED_OUTAGE = (Action.HOLD, "baseline and candidate break a limit together, so nothing can be learned")
    STEP_UNFINISHED = (Action.HOLD, "the step has not lasted as long as the policy asks")
    UNITS_TOO_FEW = (Action.HOLD, "too few units have joined since the step began")
    STEP_PASSED = (Action.ADVANCE, "the step lasted its time, its evidence is fresh, and nothing alarms")
    GOAL_PROVEN = (Action.PROMOTE, "the goal is proven, and every guardrail and limit is proven safe")
    INCONCLUSIVE_PAUSES = (Action.PAUSE, "no proof came within the time that the policy gives")
    WINDOW_OPEN = (Action.HOLD, "no outcome window can have closed yet")
    GOAL_UNPROVEN = (Action.HOLD, "the goal is not proven yet")
    GUARDRAIL_UNPROVEN = (Action.HOLD, "a guardrail is not proven safe yet")
    LIMIT_UNPROVEN = (Action.HOLD, "a limit is not proven to be kept yet")
    FALLBACK_UNPROVEN = (Action.HOLD, "the baseline may still answer too often in the candidate's place")

    def __init__(self, action: Action, meaning: str) -> None:
        """Give the reason its action and its sentence."""
        self.action = action
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Decision:
    """A reason, and the metric it speaks of, if it is about one."""

    reason: Reason
    metric: str | None = None

    @property
    def action(self) -> Action:
        """What happens."""
        return self.reason.action
