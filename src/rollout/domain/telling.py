"""Who is told of what: every reason has its place in one table, and so has whatever else happens to a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rollout.domain.decision import QUIET, Decision, Reason
from rollout.domain.policy import Event

LASTS_US: Final = 60_000_000
"""How long most troubles must last before anybody is told: what passes by itself is noise."""
STARTS_SLOWLY_US: Final = 300_000_000
"""The same for what every step may begin with."""
RECOVERED_US: Final = 900_000_000
"""How long a trouble must have been away before it is told of again."""


class Occasion(StrEnum):
    """What happened to a run."""

    STARTED = "started"
    REVISED = "revised"
    """Its policy was changed: a new revision has begun."""
    AMENDED = "amended"
    """Its policy was changed, and its revision goes on."""
    DECIDED = "decided"
    TESTED = "tested"
    """Nothing happened: somebody tries whether a receiver is reached."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Which event a reason belongs to, and how long it must last to be told."""

    event: Event
    lasts_us: int = 0


_DECISION: Final = Telling(Event.DECISION)
_PAUSED: Final = Telling(Event.PAUSED)
_ROLLBACK: Final = Telling(Event.ROLLBACK)
_FAILED: Final = Telling(Event.ACTION_FAILED)
_TROUBLE: Final = Telling(Event.DECISION, LASTS_US)
_SLOW: Final = Telling(Event.DECISION, STARTS_SLOWLY_US)

TELLINGS: Final[Mapping[Reason, Telling | None]] = {
    Reason.PERSON_ROLLS_BACK: _ROLLBACK,
    Reason.METRIC_HARMED: _ROLLBACK,
    Reason.LIMIT_VIOLATED: _ROLLBACK,
    Reason.WATCH_VIOLATED: _ROLLBACK,
    Reason.ARM_HARMED: _ROLLBACK,
    Reason.ARM_VIOLATES_LIMIT: _ROLLBACK,
    Reason.MISMATCH_ROLLS_BACK: _ROLLBACK,
    Reason.INCONCLUSIVE_ROLLS_BACK: _ROLLBACK,
    Reason.NO_DATA_ROLLS_BACK: _ROLLBACK,
    Reason.MIRROR_ROLLS_BACK: _ROLLBACK,
    Reason.ROLLBACK_RUNNING: None,
    Reason.ROLLBACK_WAITS: _TROUBLE,
    Reason.ROLLBACK_DONE: _DECISION,
    Reason.ROLLBACK_FAILED: _FAILED,
    Reason.ROLLBACK_LATE: _FAILED,
    Reason.PROMOTION_RUNNING: None,
    Reason.PROMOTION_WAITS: _TROUBLE,
    Reason.PROMOTION_DONE: Telling(Event.PROMOTED),
    Reason.PROMOTION_FAILED: _FAILED,
    Reason.PROMOTION_LATE: _FAILED,
    Reason.WATCH_RUNNING: None,
    Reason.WATCH_PASSED: _DECISION,
    Reason.ENDED: None,
    Reason.PERSON_PAUSES: _PAUSED,
    Reason.PERSON_RESUMES: _DECISION,
    Reason.PERSON_CLEARS_MISMATCH: _DECISION,
    Reason.PERSON_EXTENDS: _DECISION,
    Reason.PERSON_ADVANCES: _DECISION,
    Reason.PERSON_PROMOTES: _DECISION,
    Reason.PERSON_APPROVES: _DECISION,
    Reason.PERSON_RETRIES: _DECISION,
    Reason.PERSON_STOPS: _DECISION,
    Reason.PERSON_RETIRES: _DECISION,
    Reason.WISH_UNFIT: _DECISION,
    Reason.PAUSED: None,
    Reason.MISMATCH_PAUSES: _PAUSED,
    Reason.NO_DATA_PAUSES: _PAUSED,
    Reason.EVIDENCE_STALE: _SLOW,
    Reason.EVIDENCE_MISSING: _TROUBLE,
    Reason.SHARED_OUTAGE: _TROUBLE,
    Reason.MIRROR_SILENT: _SLOW,
    Reason.MIRROR_FAILS: _TROUBLE,
    Reason.STEP_UNFINISHED: None,
    Reason.UNITS_TOO_FEW: None,
    Reason.TRAFFIC_NOT_LIVE: _TROUBLE,
    Reason.OUTSIDE_HOURS: None,
    Reason.STEP_PASSED: _DECISION,
    Reason.MIRROR_PASSED: _DECISION,
    Reason.APPROVAL_NEEDED: Telling(Event.APPROVAL),
    Reason.PROOF_FADED: _TROUBLE,
    Reason.GOAL_PROVEN: _DECISION,
    Reason.INCONCLUSIVE_PAUSES: _PAUSED,
    Reason.WINDOW_OPEN: None,
    Reason.GOAL_UNPROVEN: None,
    Reason.GUARDRAIL_UNPROVEN: None,
    Reason.LIMIT_UNPROVEN: None,
    Reason.FALLBACK_UNPROVEN: None,
}
"""None is what a run waits for as its policy says: nobody is told of it."""


def events_of(telling: Telling | None) -> frozenset[Event]:
    """Return under which events something is told: whoever hears of decisions hears of everything."""
    return frozenset() if telling is None else frozenset({telling.event, Event.DECISION})


def telling_of(occasion: Occasion, decision: Decision | None) -> Telling | None:
    """Return how something that happened is told, if it is."""
    return _DECISION if decision is None or occasion is not Occasion.DECIDED else TELLINGS[decision.reason]


def topic_of(occasion: Occasion, decision: Decision | None, revision: int) -> str:
    """Return what a message is about: a trouble has the same topic for as long as it lasts."""
    if decision is None:
        return f"{occasion}/{revision}"
    about = "/".join("" if part is None else str(part) for part in (decision.metric, decision.arm))
    return f"{decision.reason.name}/{about}/{revision}"


def is_repeated(decision: Decision) -> bool:
    """Return whether a decision is taken again and again while it lasts, and so is told of once."""
    return decision.action in QUIET and decision.wish is None
