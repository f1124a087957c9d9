"""What the desk needs of the ledger: runs begin there, are changed by people, and are looked up."""

from __future__ import annotations

from typing import Protocol

from rollout.domain.audit import Act
from rollout.domain.basis import Basis
from rollout.domain.buckets import Range
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.ports import Ledger, Standing


class StartingLedger(Ledger, Protocol):
    """The ledger, where runs also begin, and where people look things up."""

    def runs(self) -> tuple[Standing, ...]:
        """Return every run whose route is still served and that can be read."""

    def history(self, uid: str) -> tuple[Entry, ...]:
        """Return a run's entries, the oldest first."""

    def start(
        self,
        policy: Policy,
        now_us: int,
        *,
        text: str = "",
        layer_range: Range | None = None,
        act: Act | None = None,
    ) -> Standing:
        """Record a new run of a policy; raise `RequestRefused` when its name's last run has not ended."""

    def record(
        self,
        seen: Standing,
        experiment: Experiment,
        entry: Entry | None,
        *,
        basis: Basis | None = None,
        act: Act | None = None,
    ) -> bool:
        """Record state, if the run still stands as seen, and what a person did; return whether."""

    def revise(
        self, seen: Standing, experiment: Experiment, now_us: int, *, text: str = "", act: Act | None = None
    ) -> bool:
        """Record a run under a changed policy, if it still stands as seen; return whether."""

    def basis(self, uid: str, number: int) -> Basis | None:
        """Return what an entry rests on, while that is kept."""
