"""The ledger: what happened and why; a state and the decision it follows from are one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import NoResultFound
from sqlmodel import Session, col, select

from rollout.domain.audit import Act, Line
from rollout.domain.basis import Basis
from rollout.domain.buckets import Range
from rollout.domain.experiment import ENDED, Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.domain.telling import Occasion
from rollout.errors import Problem, RequestRefused, Stop
from rollout.ports import Standing, Unread
from rollout.store import auditing, basis_rows
from rollout.store.audit import Head, Verified, verify
from rollout.store.database import Database
from rollout.store.enclosing import enclose_change, enclose_decision
from rollout.store.ledger_json import Unreadable, read
from rollout.store.ledger_rows import (
    amendment_row,
    decision_row,
    entry_of,
    experiment_row,
    policy_of,
    policy_text,
    read_policy,
    revision_row,
    state_of,
    unreadable,
)
from rollout.store.ledger_tables import DecisionRow, ExperimentRow

# Asked at every look: in the database's own words, as rows of objects cost three times as much.
_VERSION: Final = text("SELECT version FROM experiment WHERE uid = :uid AND is_served")
_SERVED: Final = text("SELECT uid, version FROM experiment WHERE is_served ORDER BY number")
_MOVE: Final = text(
    "UPDATE experiment SET version = :version, revision = :revision, entries = :entries, state = :state"
    # What lost its route to the name's next run is looked at no more: no wish would be answered there.
    " WHERE uid = :uid AND version = :seen AND is_served"
)
_DECIDE: Final = insert(auditing.table_of(DecisionRow))


class SqlLedger:
    """The ledger of one control database; `new_uid` draws 8 characters, `digest` identifies a policy."""

    def __init__(
        self, database: Database, *, new_uid: Callable[[], str], digest: Callable[[Policy], str]
    ) -> None:
        self._database, self._new_uid, self._digest = database, new_uid, digest
        # What was read last of each run: the same version is never written twice.
        self._read: dict[str, Standing] = {}

    def start(
        self,
        policy: Policy,
        now_us: int,
        *,
        text: str = "",
        layer_range: Range | None = None,
        act: Act | None = None,
    ) -> Standing:
        """Record a new run of a policy, `text` as a person wrote it, and return how it stands.

        It takes the route over from the name's last run, which must have ended. Revisions count on from
        there, so that two runs of one name never share records.
        """
        with self._database.write() as connection, Session(connection) as session:
            same_name = select(ExperimentRow).where(col(ExperimentRow.name) == policy.name)
            before = session.exec(same_name.order_by(col(ExperimentRow.number).desc())).first()
            if before is not None:
                self._release(session, before)
            experiment = Experiment(
                uid=self._new_uid(),
                policy=policy,
                revision=1 if before is None else before.revision + 1,
                phase=Phase.RUNNING,
                step=0,
                started_us=now_us,
                step_entered_us=now_us,
                fresh_us=now_us,
                layer_range=layer_range,
            )
            frozen = revision_row(experiment, self._digest(policy), text)
            for row in (experiment_row(experiment), frozen):
                session.add(row)
                session.flush()
            auditing.add(connection, act or auditing.unasked("start", policy, now_us), frozen)
            enclose_change(connection, Occasion.STARTED, 1, experiment, now_us, act)
        return Standing(experiment, version=1)

    def served(self) -> tuple[Standing | Unread, ...]:
        """Return every run whose route is still served, in the order in which they were started."""
        with self._database.read() as connection, Session(connection) as session:
            served = connection.execute(_SERVED).all()
            found = tuple(self._known(uid, version) or self._anew(session, uid) for uid, version in served)
        self._read = {one.experiment.uid: one for one in found if isinstance(one, Standing)}
        return found

    def runs(self) -> tuple[Standing, ...]:
        """Return those of them that can be read."""
        return tuple(one for one in self.served() if isinstance(one, Standing))

    def run(self, uid: str) -> Standing | None:
        """Return one run while its route is served; raise `Stop` when its state cannot be read."""
        version = self._database.glance(_VERSION, uid=uid)
        if version is None:
            return None
        if known := self._known(uid, version):
            return known
        with self._database.read() as connection, Session(connection) as session:
            row = _row(session, uid)
            if not row.is_served:
                return None
            found = self._standing(session, row)
        self._read[uid] = found
        return found

    def record(
        self,
        seen: Standing,
        experiment: Experiment,
        entry: Entry | None,
        *,
        basis: Basis | None = None,
        act: Act | None = None,
    ) -> bool:
        """Record state, and an entry when one is due with what it rests on, if the run still stands as seen.

        Return whether it did. `act` is what a person did to bring it about; an entry is an act of its own.
        """
        uid = seen.experiment.uid
        if (experiment.uid, experiment.revision) != (uid, seen.experiment.revision):
            raise ValueError(f"{experiment.uid} is not what was seen as {uid}")
        if entry is not None and entry.number != _entries(seen) + 1:
            raise ValueError(f"{uid}: entry {entry.number} does not follow entry {_entries(seen)}")
        if entry is not None and (entry.revision, entry.policy) != (experiment.revision, experiment.policy):
            raise ValueError(f"{uid}: entry {entry.number} rests on another policy than the run's")
        if basis is not None and (basis.before, basis.after) != (seen.experiment, experiment):
            raise ValueError(f"{uid}: a basis is of another step than the one that is recorded")
        packed = None if basis is None else basis_rows.packed(basis)
        row = None
        if entry is not None:
            basis_digest = None if packed is None else packed.digest
            row = decision_row(uid, entry, self._digest(experiment.policy), basis_digest)
        with self._database.write() as connection:
            if not _moved(connection, seen, experiment, entry):
                return False
            if act is not None:
                auditing.add(connection, act)
            if entry is not None and row is not None:
                connection.execute(_DECIDE, row.model_dump())
                if packed is not None:
                    basis_rows.keep(connection, uid, entry, packed)
                auditing.add(connection, auditing.decided(entry), row)
                enclose_decision(connection, seen.version + 1, experiment, entry)
        # Whoever reads this version next need not build it again out of what was written.
        self._read[uid] = Standing(experiment, seen.version + 1, entry or seen.last)
        return True

    def basis(self, uid: str, number: int) -> Basis | None:
        """Return what an entry rests on, or None when that was given up or never kept.

        Raise `Stop` when it is not what was recorded.
        """
        with self._database.read() as connection, Session(connection) as session:
            row = session.get(DecisionRow, (uid, number))
            if row is None:
                return None
            policy = policy_of(session, row)
            if self._digest(policy) != row.policy_digest:
                raise basis_rows.changed(f"{uid}, revision {row.revision}, its policy")
            return basis_rows.found(session, row, policy)

    def revise(
        self, seen: Standing, experiment: Experiment, now_us: int, *, text: str = "", act: Act | None = None
    ) -> bool:
        """Record a run under a changed policy, if it still stands as seen; return whether.

        The policies that it had before are kept: a decision names the one that it rests on.
        """
        before = seen.experiment
        if experiment.uid != before.uid or experiment.revision - before.revision not in {0, 1}:
            raise ValueError(
                f"{experiment.uid}, revision {experiment.revision}, does not follow {before.uid}"
            )
        with self._database.write() as connection, Session(connection) as session:
            if not _moved(connection, seen, experiment, None):
                return False
            occasion = Occasion.REVISED if experiment.revision > before.revision else Occasion.AMENDED
            digest = self._digest(experiment.policy)
            row = (
                revision_row(experiment, digest, text)
                if occasion is Occasion.REVISED
                else amendment_row(session, experiment, digest, now_us, text)
            )
            session.add(row)
            session.flush()
            auditing.add(connection, act or auditing.unasked("revise", experiment.policy, now_us), row)
            enclose_change(connection, occasion, seen.version + 1, experiment, now_us, act)
        return True

    def history(self, uid: str) -> tuple[Entry, ...]:
        """Return a run's entries, the oldest first."""
        with self._database.read() as connection, Session(connection) as session:
            rows = session.exec(
                select(DecisionRow).where(col(DecisionRow.uid) == uid).order_by(col(DecisionRow.number))
            )
            policies: dict[tuple[int, str], Policy] = {}
            found = []
            for row in rows:
                key = (row.revision, row.policy_digest)
                if key not in policies:
                    policies[key] = policy_of(session, row)
                found.append(entry_of(row, policies[key]))
            return tuple(found)

    def acts(self, *, after: int = 0, limit: int = 1_000) -> tuple[Line, ...]:
        """Return so many lines of the audit after one of them, in their order."""
        with self._database.read() as connection:
            return auditing.lines(connection, after=after, limit=limit)

    def verify(self, *, known: Head | None = None) -> Verified:
        """Check the whole audit, and `known` as it was noted elsewhere."""
        with self._database.read() as connection:
            return verify(connection, known=known)

    def _release(self, session: Session, before: ExperimentRow) -> None:
        """Let go of the route of a run that has ended; refuse while it has not."""
        run = self._standing(session, before).experiment
        if run.phase not in ENDED and not run.rollback_failed:
            what = f"its run {run.uid} is {run.phase}"
            raise RequestRefused(Problem(before.name, what, "wait for its end, or roll it back first"))
        if run.wish is not None:
            what = f"{run.wish.kind} was asked of its run {run.uid}, and is decided at the next look"
            raise RequestRefused(Problem(before.name, what, "ask again in a few seconds"))
        before.is_served = False
        session.add(before)

    def _known(self, uid: str, version: int) -> Standing | None:
        """Return a run that was read, or written, in this version before."""
        known = self._read.get(uid)
        return known if known is not None and known.version == version else None

    def _anew(self, session: Session, uid: str) -> Standing | Unread:
        """Return a run as it is written, or that it cannot be read."""
        row = _row(session, uid)
        try:
            return self._standing(session, row)
        except Stop as error:
            return Unread(row.uid, row.name, error.problems[0])

    def _standing(self, session: Session, row: ExperimentRow) -> Standing:
        try:
            policy = read_policy(policy_text(session, row.uid, row.revision))
            experiment = read(Experiment, row.state, policy=policy)
            last = None if row.entries == 0 else session.get_one(DecisionRow, (row.uid, row.entries))
            entry = None if last is None else entry_of(last, policy_of(session, last))
        except (Unreadable, NoResultFound) as error:
            raise unreadable(f"{row.uid} ({row.name})", error) from None
        return Standing(experiment, row.version, entry)


def _row(session: Session, uid: str) -> ExperimentRow:
    return session.exec(select(ExperimentRow).where(col(ExperimentRow.uid) == uid)).one()


def _entries(seen: Standing) -> int:
    return 0 if seen.last is None else seen.last.number


def _moved(connection: Connection, seen: Standing, after: Experiment, entry: Entry | None) -> bool:
    """Write a run's next state, if it still stands as seen; return whether."""
    moved = connection.execute(
        _MOVE,
        {
            "uid": after.uid,
            "seen": seen.version,
            "version": seen.version + 1,
            "revision": after.revision,
            "entries": _entries(seen) if entry is None else entry.number,
            "state": state_of(after),
        },
    )
    return moved.rowcount == 1
