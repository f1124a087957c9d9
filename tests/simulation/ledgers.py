"""The real ledger on a database in memory; each commit is checked as it is made."""

from __future__ import annotations

from collections.abc import Callable

from rollout.domain.audit import Act
from rollout.domain.basis import Basis
from rollout.domain.buckets import Range
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.errors import Problem
from rollout.policyfile.digest import digest
from rollout.ports import Standing, Unread
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.simulation.checker import Checker


class WatchedLedger:
    """One process's ledger over the database of all; what it records is told to the checker."""

    def __init__(self, who: str, database: Database, checker: Checker, new_uid: Callable[[], str]) -> None:
        self._who, self._checker = who, checker
        self._ledger = SqlLedger(database, new_uid=new_uid, digest=digest)

    def served(self) -> tuple[Standing | Unread, ...]:
        """Return every run whose route is served."""
        return self._ledger.served()

    def run(self, uid: str) -> Standing | None:
        """Return one run while its route is served."""
        return self._ledger.run(uid)

    def history(self, uid: str) -> tuple[Entry, ...]:
        """Return a run's entries."""
        return self._ledger.history(uid)

    def basis(self, uid: str, number: int) -> Basis | None:
        """Return what an entry rests on."""
        return self._ledger.basis(uid, number)

    def verify(self) -> tuple[Problem, ...]:
        """Return what is wrong with the audit."""
        return self._ledger.verify().problems

    def record(
        self,
        seen: Standing,
        experiment: Experiment,
        entry: Entry | None,
        *,
        basis: Basis | None = None,
        act: Act | None = None,
    ) -> bool:
        """Record a run if it still stands as seen."""
        is_recorded = self._ledger.record(seen, experiment, entry, basis=basis, act=act)
        if is_recorded:
            self._checker.recorded(self._who, seen, experiment, entry)
        return is_recorded

    def revise(
        self, seen: Standing, experiment: Experiment, now_us: int, *, text: str = "", act: Act | None = None
    ) -> bool:
        """Record a changed policy if the run still stands as seen."""
        is_revised = self._ledger.revise(seen, experiment, now_us, text=text, act=act)
        if is_revised:
            self._checker.revised(seen, experiment)
        return is_revised

    def start(
        self,
        policy: Policy,
        now_us: int,
        *,
        text: str = "",
        layer_range: Range | None = None,
        act: Act | None = None,
    ) -> Standing:
        """Record a new run."""
        standing = self._ledger.start(policy, now_us, text=text, layer_range=layer_range, act=act)
        self._checker.started(standing)
        return standing
