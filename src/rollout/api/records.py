"""Decisions as they were recorded: shown with what they rest on, and recomputed from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from rollout import __version__
from rollout.api.outlook import outlook
from rollout.api.problems import Refusal
from rollout.api.shapes import entry_answer
from rollout.client.records import DifferenceAnswer, RecordAnswer, ReplayAnswer
from rollout.client.waiting import OutlookAnswer
from rollout.controller.sights import Sight
from rollout.domain.basis import Basis
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.replay import Difference, replay
from rollout.errors import Problem
from rollout.policyfile.digest import digest
from rollout.ports import Standing
from rollout.store.basis_rows import text_of


class KeptRecords(Protocol):
    """Where decisions are recorded."""

    def history(self, uid: str) -> tuple[Entry, ...]:
        """Return a run's entries, the oldest first."""

    def basis(self, uid: str, number: int) -> Basis | None:
        """Return what an entry rests on, while that is kept."""


@dataclass(frozen=True, slots=True)
class Records:
    """Shows and recomputes the decisions of runs."""

    kept: KeptRecords

    def show(self, run: Experiment, number: int) -> RecordAnswer:
        """Return one decision with all that is kept of it."""
        entry = self._entries(run, number)[-1]
        basis = self.kept.basis(run.uid, number)
        return RecordAnswer(
            name=run.policy.name,
            uid=run.uid,
            entry=entry_answer(entry),
            policy_digest=digest(entry.policy),
            basis=None if basis is None else json.loads(text_of(basis)),
            outlook=None if basis is None else _outlook(entry, basis),
        )

    def replay(self, run: Experiment, number: int) -> ReplayAnswer:
        """Recompute one decision from what it rests on."""
        entries = self._entries(run, number)
        basis = self.kept.basis(run.uid, number)
        if basis is None:
            what = f"what decision {number} rests on is kept no more: it changed nothing"
            remedy = "ask for a newer one, or one that moved it: `rollout explain` lists them"
            raise Refusal(HTTPStatus.CONFLICT, Problem(run.policy.name, what, remedy))
        previous = entries[-2] if len(entries) > 1 else None
        found = replay(entries[-1], basis, previous, program=__version__)
        return ReplayAnswer(
            name=run.policy.name,
            number=number,
            agrees=found.agrees,
            differences=_answers(found.differences),
            trifles=_answers(found.trifles),
            recorded_by=found.recorded_by,
            recomputed_by=found.recomputed_by,
        )

    def _entries(self, run: Experiment, number: int) -> tuple[Entry, ...]:
        """Return the run's entries up to one of them."""
        entries = self.kept.history(run.uid)
        if number > len(entries):
            last = f"its newest is {len(entries)}" if entries else "nothing is decided yet"
            problem = Problem(run.policy.name, f"it has no decision {number}", last)
            raise Refusal(HTTPStatus.NOT_FOUND, problem)
        return entries[:number]


def _outlook(entry: Entry, basis: Basis) -> OutlookAnswer:
    """Return what a run waited for when a decision was taken."""
    seen = basis.evidence
    sight = None if seen is None else Sight(entry.at_us, basis.before, seen, entry.judgement)
    return outlook(Standing(basis.before, 0, entry), sight, entry.at_us, is_live=basis.traffic_is_live)


def _answers(found: Sequence[Difference]) -> tuple[DifferenceAnswer, ...]:
    return tuple(
        DifferenceAnswer(field=one.field, recorded=one.recorded, recomputed=one.recomputed) for one in found
    )
