"""What a person can do about each reason: nothing, wait, look somewhere, or decide."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rollout.domain.decision import Reason

_NOTHING: Final = "nothing to do"
_MEND: Final = (
    "mend the version and start it again with a new version number: a start takes a new policy file, "
    "and the evidence begins anew"
)
_FAILED_ROLLBACK: Final = (
    "traffic is at zero already, so users are safe: read the action's own output, mend it, "
    'then `rollout retry {name} --why "…"`, or undo by hand what the action should have undone'
)
_FAILED_PROMOTION: Final = (
    'read the action\'s own output and mend it, then `rollout retry {name} --why "…"`; '
    "or give it up: `rollout rollback {name}`"
)
_STALE: Final = (
    "look where records wait: `rollout nodes` shows who is silent or behind, `rollout evidence {name}` how "
    "far each source is filed; it goes on by itself when they arrive"
)
_MISSING: Final = (
    "find out why nothing is measured: `rollout evidence {name}` says what arrived; for outcomes, check that "
    "the application reports them under this name and with the same unit ids; for a polled metric, its query"
)
_MISMATCH: Final = (
    "find what sends one arm's users elsewhere, and mend it; then begin anew with a new revision "
    "(`rollout start`), or, where the cause cannot have touched the metrics, "
    '`rollout resume {name} --why "…"`'
)
_WAIT: Final = "wait; it goes on by itself"
_DECIDE: Final = (
    'decide: `rollout resume {name} --why "…"` gives the step as much time again, `rollout rollback {name}` '
    "ends it; `rollout plan` says how long a smaller effect takes to prove"
)
_PROVE: Final = "wait; more units prove more, and `rollout plan` says how long that usually takes"

ADVICE: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.PERSON_ROLLS_BACK: f"ask who asked for it; {_MEND}",
        Reason.METRIC_HARMED: f"look at the metric in `rollout report {{name}}`; {_MEND}",
        Reason.LIMIT_VIOLATED: f"look for what makes it slow, since the baseline is not; {_MEND}",
        Reason.WATCH_VIOLATED: f"compare with the days before, when it had less traffic; {_MEND}",
        Reason.ARM_HARMED: f"leave the others to go on; for the one that was stopped: {_MEND}",
        Reason.ARM_VIOLATES_LIMIT: f"leave the others to go on; for the one that was stopped: {_MEND}",
        Reason.MISMATCH_ROLLS_BACK: "find what sends one arm's users elsewhere before it is started again",
        Reason.INCONCLUSIVE_ROLLS_BACK: (
            "start it again with more traffic, more time, or a larger minEffect: `rollout plan` compares them"
        ),
        Reason.NO_DATA_ROLLS_BACK: f"mend the way of the records first: {_STALE}; then start it again",
        Reason.MIRROR_ROLLS_BACK: f"call it with a copy of a real request, and read its log; {_MEND}",
        Reason.ROLLBACK_RUNNING: "wait for the action; users have the baseline already",
        Reason.ROLLBACK_WAITS: "let the action go on where it runs; users have the baseline already",
        Reason.ROLLBACK_DONE: f"{_NOTHING}; `rollout report {{name}}` says what was learned",
        Reason.ROLLBACK_FAILED: _FAILED_ROLLBACK,
        Reason.ROLLBACK_LATE: _FAILED_ROLLBACK,
        Reason.PROMOTION_RUNNING: "wait for the action; past its deadline it counts as failed",
        Reason.PROMOTION_WAITS: "let the action go on where it runs; past its deadline it counts as failed",
        Reason.PROMOTION_DONE: _NOTHING,
        Reason.PROMOTION_FAILED: _FAILED_PROMOTION,
        Reason.PROMOTION_LATE: _FAILED_PROMOTION,
        Reason.WATCH_RUNNING: "wait for the end of the watch; a proven violation rolls back by itself",
        Reason.WATCH_PASSED: f"{_NOTHING}; the old version may be taken down",
        Reason.ENDED: f"{_NOTHING}; `rollout retire {{name}}` removes its route when nobody calls it",
        Reason.PERSON_PAUSES: "`rollout resume {name}` when the cause is over; harm rolls back meanwhile",
        Reason.PERSON_RESUMES: _NOTHING,
        Reason.PERSON_CLEARS_MISMATCH: (
            "watch the split: units are counted anew, and what was collected before stays in the metrics"
        ),
        Reason.PERSON_EXTENDS: f"{_NOTHING}; the step's deadline began anew",
        Reason.PERSON_ADVANCES: f"{_NOTHING}; the report says that the policy was overruled",
        Reason.PERSON_PROMOTES: f"{_NOTHING}; the report says that the policy was overruled",
        Reason.PERSON_APPROVES: f"{_NOTHING}; the promotion follows when every group has approved",
        Reason.PERSON_RETRIES: "wait for the action; it runs under a new number",
        Reason.PERSON_STOPS: f"{_NOTHING}; `rollout start` begins anew, without the evidence so far",
        Reason.PERSON_RETIRES: f"{_NOTHING}; a policy with this name may be started again",
        Reason.WISH_UNFIT: "see where it stands with `rollout status {name}`, and ask for what fits there",
        Reason.PAUSED: 'decide: `rollout resume {name} --why "…"` goes on, `rollout rollback {name}` ends it',
        Reason.MISMATCH_PAUSES: _MISMATCH,
        Reason.NO_DATA_PAUSES: f'{_STALE}, once a person resumes it: `rollout resume {{name}} --why "…"`',
        Reason.EVIDENCE_STALE: _STALE,
        Reason.EVIDENCE_MISSING: _MISSING,
        Reason.SHARED_OUTAGE: (
            "look at what both versions share: database, network, traffic; it goes on when they recover"
        ),
        Reason.MIRROR_SILENT: "check the new version's url, and that requests come at all: `rollout nodes`",
        Reason.MIRROR_FAILS: "call the new version with a copy of a real request, and read its log",
        Reason.STEP_UNFINISHED: _WAIT,
        Reason.UNITS_TOO_FEW: "wait for more units; if none come, check that requests name their unit",
        Reason.TRAFFIC_NOT_LIVE: "`rollout nodes` says which proxy is cut off or refuses, and why",
        Reason.OUTSIDE_HOURS: "wait for the hours of `windows.advance`; a rollback never waits for them",
        Reason.STEP_PASSED: _NOTHING,
        Reason.MIRROR_PASSED: "read `rollout report {name}`; then start a policy with weights",
        Reason.APPROVAL_NEEDED: (
            'read `rollout report {name}`, then `rollout approve {name} --group GROUP --why "…"`; '
            "harm is judged meanwhile"
        ),
        Reason.PROOF_FADED: "wait until every proof holds again; approvals that were given are kept",
        Reason.GOAL_PROVEN: _NOTHING,
        Reason.INCONCLUSIVE_PAUSES: _DECIDE,
        Reason.WINDOW_OPEN: "wait for the first window to close; nobody's outcome can count before",
        Reason.GOAL_UNPROVEN: _PROVE,
        Reason.GUARDRAIL_UNPROVEN: _PROVE,
        Reason.LIMIT_UNPROVEN: _PROVE,
        Reason.FALLBACK_UNPROVEN: (
            "wait, or see why the candidate leaves requests to the baseline: `rollout status {name}` says"
        ),
    }
)


def advice(reason: Reason, name: str) -> str:
    """Return what to do about a reason, as a sentence without a point, for the run of this name."""
    return ADVICE[reason].format(name=name)
