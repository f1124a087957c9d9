"""What can be decided, and every reason for it; a reason owns one action, so the two cannot disagree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, unique
from typing import Final

from rollout.domain.wish import Wish


class Action(StrEnum):
    """What happens to an experiment."""

    HOLD = "hold"
    PAUSE = "pause"
    RESUME = "resume"
    ADVANCE = "advance"
    AWAIT = "await"
    """It is proven, and people are asked."""
    APPROVE = "approve"
    PROMOTE = "promote"
    STOP_ARM = "stop-arm"
    ROLL_BACK = "roll-back"
    RETRY = "retry"
    STOP = "stop"
    RETIRE = "retire"
    SETTLE = "settle"
    """What was started has ended: the phase follows."""


QUIET: Final = frozenset({Action.HOLD, Action.AWAIT})
"""What is decided again and again while something is waited for."""


@unique
class Reason(Enum):
    """Why: the action it owns, and a sentence for people."""

    PERSON_ROLLS_BACK = (Action.ROLL_BACK, "a person asked for it")
    METRIC_HARMED = (Action.ROLL_BACK, "a metric is proven worse than its margin")
    LIMIT_VIOLATED = (Action.ROLL_BACK, "a limit is proven violated")
    WATCH_VIOLATED = (Action.ROLL_BACK, "a limit is proven violated since the promotion")
    ARM_HARMED = (Action.STOP_ARM, "a metric of one candidate is proven worse than its margin; others go on")
    ARM_VIOLATES_LIMIT = (Action.STOP_ARM, "a limit is proven violated by one candidate; others go on")
    MISMATCH_ROLLS_BACK = (
        Action.ROLL_BACK,
        "units do not fall to the arms as split, and the policy rolls back",
    )
    INCONCLUSIVE_ROLLS_BACK = (Action.ROLL_BACK, "no proof came in time, and the policy rolls back")
    NO_DATA_ROLLS_BACK = (Action.ROLL_BACK, "evidence stayed away too long, and the policy rolls back")
    MIRROR_ROLLS_BACK = (
        Action.ROLL_BACK,
        "too many copies are proven to fail, and the policy rolls back",
    )
    ROLLBACK_RUNNING = (Action.HOLD, "the rollback action is running; traffic is at zero already")
    ROLLBACK_WAITS = (Action.HOLD, "the rollback action waits for a person; traffic is at zero already")
    ROLLBACK_DONE = (Action.SETTLE, "the rollback action has ended, or there is none")
    ROLLBACK_FAILED = (Action.SETTLE, "the rollback action failed; traffic is at zero all the same")
    ROLLBACK_LATE = (
        Action.SETTLE,
        "the rollback action did not end within its deadline; traffic is at zero all the same",
    )
    PROMOTION_RUNNING = (Action.HOLD, "the promote action is running; traffic waits for it")
    PROMOTION_WAITS = (Action.HOLD, "the promote action waits for a person; traffic waits for it")
    PROMOTION_DONE = (Action.SETTLE, "the promote action has succeeded, or there is none")
    PROMOTION_FAILED = (Action.SETTLE, "the promote action failed; the last step's traffic stays")
    PROMOTION_LATE = (
        Action.SETTLE,
        "the promote action did not end within its deadline; the last step's traffic stays",
    )
    WATCH_RUNNING = (Action.HOLD, "all traffic goes to the new version, and its limits are watched")
    WATCH_PASSED = (Action.SETTLE, "no limit was proven violated while the promotion was watched")
    ENDED = (Action.HOLD, "it has ended")
    PERSON_PAUSES = (Action.PAUSE, "a person paused it; traffic stays as it is")
    PERSON_RESUMES = (Action.RESUME, "a person resumed it")
    PERSON_CLEARS_MISMATCH = (
        Action.RESUME,
        "a person resumed it although units did not fall to the arms as split; they are counted anew",
    )
    PERSON_EXTENDS = (Action.RESUME, "a person resumed it after its time was over, and gave it as much again")
    PERSON_ADVANCES = (Action.ADVANCE, "a person overruled what the step still waited for")
    PERSON_PROMOTES = (Action.PROMOTE, "a person overruled what was not proven or approved")
    PERSON_APPROVES = (Action.APPROVE, "a person approved of the promotion")
    PERSON_RETRIES = (Action.RETRY, "a person asked for the failed action once more")
    PERSON_STOPS = (Action.STOP, "a person stopped it without a verdict; the baseline serves everybody")
    PERSON_RETIRES = (Action.RETIRE, "a person retired its route")
    WISH_UNFIT = (Action.HOLD, "a person asked for something that cannot be done where it stands")
    PAUSED = (Action.HOLD, "it is paused until a person resumes it")
    MISMATCH_PAUSES = (Action.PAUSE, "units do not fall to the arms as the policy split them")
    NO_DATA_PAUSES = (Action.PAUSE, "evidence stayed away longer than the policy waits")
    EVIDENCE_STALE = (Action.HOLD, "the evidence does not reach into this step yet")
    EVIDENCE_MISSING = (Action.HOLD, "a metric that should exist by now could not be measured")
    SHARED_OUTAGE = (Action.HOLD, "baseline and candidate break a limit together, so nothing can be learned")
    MIRROR_SILENT = (Action.HOLD, "no copy of a request has reached the new version in this step")
    MIRROR_FAILS = (Action.HOLD, "too many of the copies are proven to fail")
    STEP_UNFINISHED = (Action.HOLD, "the step has not lasted as long as the policy asks")
    UNITS_TOO_FEW = (Action.HOLD, "too few units have joined since the step began")
    TRAFFIC_NOT_LIVE = (Action.HOLD, "not every proxy has confirmed the present split, so it stays")
    OUTSIDE_HOURS = (Action.HOLD, "the policy lets traffic move up at other times only")
    STEP_PASSED = (Action.ADVANCE, "the step lasted its time, its evidence is fresh, and nothing alarms")
    MIRROR_PASSED = (Action.STOP, "the last copies were sent; copies prove nothing, so nothing is promoted")
    APPROVAL_NEEDED = (Action.AWAIT, "everything is proven, and people have to approve")
    PROOF_FADED = (Action.HOLD, "approval was asked for, and a proof does not hold at present")
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


OVERRIDES: Final = frozenset(
    {Reason.PERSON_ADVANCES, Reason.PERSON_PROMOTES, Reason.PERSON_CLEARS_MISMATCH, Reason.PERSON_EXTENDS}
)
"""With these a person overruled the policy."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A reason, and the metric and the candidate it speaks of, if it is about one."""

    reason: Reason
    metric: str | None = None
    arm: int | None = None
    """Which candidate, counted from 1."""
    wish: Wish | None = None
    """What a person asked for, where this answers it."""

    @property
    def action(self) -> Action:
        """What happens."""
        return self.reason.action
