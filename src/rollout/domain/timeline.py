"""What happened in a run, in the words of its report: each change with the reason for it, and who asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rollout.domain.decision import OVERRIDES, QUIET, Action, Reason
from rollout.domain.experiment import Phase
from rollout.domain.history import Entry
from rollout.domain.policy import WHOLE_BP, MirrorStep, Policy


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was decided, and what followed."""

    at_us: int
    what: str
    why: str
    phase: Phase
    step: int


def events(policy: Policy, entries: Sequence[Entry]) -> tuple[Event, ...]:
    """Return the looks at which something changed."""
    firsts = entries[:1]
    changed = [
        later
        for earlier, later in pairwise(entries)
        if later.decision.action not in QUIET or later.decision != earlier.decision
    ]
    return tuple(
        Event(entry.at_us, _what(policy, entry), worded(entry), entry.phase, entry.step)
        for entry in (*firsts, *changed)
    )


def _what(policy: Policy, entry: Entry) -> str:
    action = entry.decision.action
    override = " (a person overruled the policy)" if entry.decision.reason in OVERRIDES else ""
    if action is Action.ADVANCE:
        return f"Advanced to {weight(policy, entry.step)} of the units{override}"
    if action is Action.STOP_ARM and entry.decision.arm is not None:
        return f"Stopped version {policy.candidates[entry.decision.arm - 1].version}: the others go on"
    if action is Action.SETTLE:
        return _SETTLED.get(entry.decision.reason, "Ended")
    return f"{_DONE[action]}{override}"


_DONE: Final = {
    Action.HOLD: "Held",
    Action.PAUSE: "Paused",
    Action.RESUME: "Resumed",
    Action.AWAIT: "Approval asked for",
    Action.APPROVE: "Approved",
    Action.PROMOTE: "Promotion begun",
    Action.STOP_ARM: "Stopped a candidate: the others go on",
    Action.ROLL_BACK: "Rolled back: no more traffic for the candidate",
    Action.RETRY: "The failed action was begun again",
    Action.STOP: "Stopped: no more traffic for the candidate",
    Action.RETIRE: "Retired: the route is gone",
}
_SETTLED: Final = {
    Reason.PROMOTION_DONE: "Promoted: everybody gets the candidate",
    Reason.WATCH_PASSED: "The watch is over",
    Reason.PROMOTION_FAILED: "The promote action failed",
    Reason.ROLLBACK_DONE: "Rollback done",
    Reason.ROLLBACK_FAILED: "The rollback action failed",
}


def worded(entry: Entry) -> str:
    """Return why something was decided: what it speaks of, and who asked for it."""
    decision = entry.decision
    about = f" ({decision.metric})" if decision.metric else ""
    asked = "" if decision.wish is None else f" ({decision.wish.who}: {decision.wish.why})"
    return f"{decision.reason.meaning}{about}{asked}"


def weight(policy: Policy, step: int) -> str:
    """Return what a step gives each candidate: a share of the units, or of copies."""
    stage = policy.stages[step]
    if isinstance(stage, MirrorStep):
        return f"copies of {stage.share_bp / WHOLE_BP * 100:g} %"
    return f"{stage.weight_bp / WHOLE_BP * 100:g} %"
