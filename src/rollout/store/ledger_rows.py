"""The ledger's rows: what is written of a run, and strictly back."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sqlmodel import Session, col, select

from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.domain.verdict import Judgement
from rollout.domain.wish import Wish
from rollout.errors import Problem, Stop
from rollout.store.ledger_json import Unreadable, read, written
from rollout.store.ledger_tables import AmendmentRow, DecisionRow, ExperimentRow, RevisionRow

BESIDE: Final = frozenset({"policy"})
"""What stands beside a run's revision once, and in no state of it."""
POLICIES: Final = 2_000
"""How many policies are kept as they were read; their runs share them."""


def experiment_row(run: Experiment) -> ExperimentRow:
    """Return a new run as it is written."""
    return ExperimentRow(
        uid=run.uid,
        name=run.policy.name,
        is_served=True,
        revision=run.revision,
        version=1,
        entries=0,
        state=state_of(run),
    )


def state_of(run: Experiment) -> str:
    """Return where a run stands; its policy stands once, beside its revision, and not in every state."""
    return written(run, without=BESIDE)


def revision_row(run: Experiment, digest: str, text: str) -> RevisionRow:
    """Return the policy that a revision froze, and the text that a person wrote."""
    return RevisionRow(
        uid=run.uid,
        revision=run.revision,
        began_us=run.started_us,
        digest=digest,
        policy=written(run.policy),
        text=text,
    )


def amendment_row(session: Session, run: Experiment, digest: str, now_us: int, text: str) -> AmendmentRow:
    """Return the next change of a revision's policy that took effect at once."""
    newest = _newest_amendment(session, run.uid, run.revision)
    return AmendmentRow(
        uid=run.uid,
        revision=run.revision,
        number=1 if newest is None else newest.number + 1,
        at_us=now_us,
        digest=digest,
        policy=written(run.policy),
        text=text,
    )


def decision_row(uid: str, entry: Entry, policy_digest: str, basis_digest: str | None) -> DecisionRow:
    """Return an entry as it is written."""
    return DecisionRow(
        uid=uid,
        number=entry.number,
        revision=entry.revision,
        policy_digest=policy_digest,
        at_us=entry.at_us,
        action=entry.decision.action.value,
        reason=entry.decision.reason.name,
        metric=entry.decision.metric,
        arm=entry.decision.arm,
        wish=None if entry.decision.wish is None else written(entry.decision.wish),
        phase=entry.phase.value,
        step=entry.step,
        watermark_us=entry.watermark_us,
        judgement=written(entry.judgement),
        basis_digest=basis_digest,
    )


@lru_cache(maxsize=POLICIES)
def read_policy(text: str) -> Policy:
    """Return a policy: every look at a run reads its text again, which only a revision changes."""
    return read(Policy, text)


def _newest_amendment(session: Session, uid: str, revision: int) -> AmendmentRow | None:
    own = select(AmendmentRow).where(col(AmendmentRow.uid) == uid, col(AmendmentRow.revision) == revision)
    return session.exec(own.order_by(col(AmendmentRow.number).desc())).first()


def policy_text(session: Session, uid: str, revision: int) -> str:
    """Return the policy that a revision has now, as it was written into the ledger."""
    newest = _newest_amendment(session, uid, revision)
    return session.get_one(RevisionRow, (uid, revision)).policy if newest is None else newest.policy


def policy_of(session: Session, row: DecisionRow) -> Policy:
    """Return the policy that a decision rests on: its revision's, as it was at that time."""
    frozen = session.get_one(RevisionRow, (row.uid, row.revision))
    written_down = frozen.policy
    if frozen.digest != row.policy_digest:
        amended = select(AmendmentRow.policy).where(
            col(AmendmentRow.uid) == row.uid,
            col(AmendmentRow.revision) == row.revision,
            col(AmendmentRow.digest) == row.policy_digest,
        )
        written_down = session.exec(amended.limit(1)).one()
    try:
        return read_policy(written_down)
    except Unreadable as error:
        raise unreadable(f"{row.uid}, revision {row.revision}", error) from None


def entry_of(row: DecisionRow, policy: Policy) -> Entry:
    """Return what was recorded; raise `Stop` when this program cannot read it."""
    try:
        if row.reason not in Reason.__members__:
            raise Unreadable(f"no reason is called {row.reason!r}")
        wish = None if row.wish is None else read(Wish, row.wish)
        return Entry(
            number=row.number,
            at_us=row.at_us,
            decision=Decision(Reason[row.reason], row.metric, row.arm, wish),
            phase=Phase(row.phase),
            step=row.step,
            judgement=read(Judgement, row.judgement),
            watermark_us=row.watermark_us,
            revision=row.revision,
            policy=policy,
        )
    except ValueError as error:
        raise unreadable(f"{row.uid}, decision {row.number}", error) from None


def unreadable(where: str, error: Exception) -> Stop:
    """Say where the ledger holds what this program does not write."""
    remedy = "a newer rollout may have written it: start that one again"
    return Stop(Problem(f"ledger: {where}", str(error), remedy))
