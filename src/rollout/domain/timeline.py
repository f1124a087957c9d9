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


def events(entries: Sequence[Entry]) -> tuple[Event, ...]:
    """Return the looks at which something changed, and where a new revision began."""
    found = [_event(entry) for entry in entries[:1]]
    for earlier, later in pairwise(entries):
        is_revised = later.revision != earlier.revision
        if is_revised:
            what = f"Revision {later.revision} begun: the policy was changed"
            found.append(Event(later.at_us, what, _ANEW, later.phase, later.step))
        if is_revised or later.decision.action not in QUIET or later.decision != earlier.decision:
            found.append(_event(later))
    return tuple(found)


_ANEW: Final = "evidence, proofs and approvals of the revision before no longer count"


def _event(entry: Entry) -> Event:
    return Event(entry.at_us, _what(entry), worded(entry), entry.phase, entry.step)


def _what(entry: Entry) -> str:
    policy, action = entry.policy, entry.decision.action
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
    Reason.PROMOTION_LATE: "The promote action did not end in time",
    Reason.ROLLBACK_LATE: "The rollback action did not end in time",
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
