"""News of every kind, made from decisions as the ledger's are."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.news import Letter, News, decided
from rollout.domain.telling import TELLINGS
from rollout.domain.verdict import Finding, Judgement, Verdict
from rollout.domain.wish import Asked, Wish
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US, SECOND_US, judgement

_VERSION: Final = 41
_PHASES: Final = {
    Action.PAUSE: Phase.PAUSED,
    Action.AWAIT: Phase.AWAITING_APPROVAL,
    Action.PROMOTE: Phase.PROMOTING,
    Action.ROLL_BACK: Phase.ROLLING_BACK,
    Action.STOP: Phase.STOPPED,
    Action.RETIRE: Phase.RETIRED,
}
_SETTLED: Final = {
    Reason.PROMOTION_DONE: Phase.WATCHING,
    Reason.WATCH_PASSED: Phase.PROMOTED,
    Reason.PROMOTION_FAILED: Phase.ACTION_FAILED,
    Reason.ROLLBACK_DONE: Phase.ROLLED_BACK,
    Reason.ROLLBACK_FAILED: Phase.ACTION_FAILED,
}
_ABOUT: Final = {
    Reason.METRIC_HARMED: "errors",
    Reason.LIMIT_VIOLATED: "p99",
    Reason.WATCH_VIOLATED: "p99",
    Reason.ARM_HARMED: "errors",
    Reason.ARM_VIOLATES_LIMIT: "p99",
    Reason.EVIDENCE_MISSING: "converted",
    Reason.SHARED_OUTAGE: "p99",
    Reason.PROOF_FADED: "converted",
}
_ASKED: Final = {
    Reason.PERSON_PAUSES: Asked.PAUSE,
    Reason.PERSON_RESUMES: Asked.RESUME,
    Reason.PERSON_CLEARS_MISMATCH: Asked.RESUME,
    Reason.PERSON_EXTENDS: Asked.RESUME,
    Reason.PERSON_ADVANCES: Asked.ADVANCE,
    Reason.PERSON_PROMOTES: Asked.PROMOTE,
    Reason.PERSON_APPROVES: Asked.APPROVE,
    Reason.PERSON_RETRIES: Asked.RETRY,
    Reason.PERSON_STOPS: Asked.STOP,
    Reason.PERSON_RETIRES: Asked.RETIRE,
    Reason.PERSON_ROLLS_BACK: Asked.ROLLBACK,
    Reason.WISH_UNFIT: Asked.PROMOTE,
}
TOLD: Final = [reason for reason, telling in TELLINGS.items() if telling is not None]


def looked() -> Judgement:
    """Return a look with numbers."""
    seen = (
        Verdict("converted", Finding.BETTER, estimate=0.063, interval=(0.021, 0.104)),
        Verdict("errors", Finding.HARMED, estimate=0.31, interval=(0.18, 0.46)),
        Verdict("p99", Finding.HARMED, estimate=0.034, interval=(0.021, float("inf"))),
        Verdict("fallback", Finding.SAFE, estimate=0.0004),
    )
    return replace(judgement(), verdicts=seen)


def news(reason: Reason, *, run: Experiment | None = None, wish: Wish | None = None) -> News:
    """Return what a decision tells."""
    before = run or replace(EXPERIMENT, policy=replace(POLICY, approvers=("growth-leads",)))
    phase = _SETTLED.get(reason) or _PHASES.get(reason.action, Phase.RUNNING)
    after = replace(before, phase=phase, rollback_failed=reason is Reason.ROLLBACK_FAILED)
    if wish is None and reason in _ASKED:
        group = "growth-leads" if reason is Reason.PERSON_APPROVES else None
        wish = Wish("ann", "the model card is wrong", NOW_US, _ASKED[reason], group)
    about = _ABOUT.get(reason)
    decision = Decision(reason, about, 1 if about is not None else None, wish)
    entry = Entry(17, NOW_US, decision, phase, after.step, looked(), NOW_US, 1, after.policy)
    return decided(_VERSION, after, entry)


def letter(*told: News) -> Letter:
    """Return news in one letter; each has an id of its own."""
    apart = tuple(
        replace(one, id=f"a1b2c3d4.{number}", at_us=one.at_us + number * SECOND_US)
        for number, one in enumerate(told, _VERSION)
    )
    return Letter(f"{apart[0].id}.ml", apart)
