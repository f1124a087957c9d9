"""What is seen from outside all the time: who says that it leads, what nodes follow, what is decided."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from rollout.client.connection import Patience
from rollout.client.control_plane import ControlPlane
from rollout.errors import RolloutError
from tests.e2e.crowd import now_us
from tests.faults.control.plane import Control, Edge, Plane

LEADS_EVERY_S: Final = 0.05
TERM_EVERY_S: Final = 0.05
DECIDED_EVERY_S: Final = 0.4
ASKED_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A control plane's answer that it leads: it did at a moment between the question and the answer."""

    control: int
    asked_us: int
    answered_us: int


@dataclass(frozen=True, slots=True)
class Heard:
    """The term of the snapshot that a node keeps, when it was another one than before."""

    edge: str
    at_us: int
    term: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a run stood, as it was told."""

    uid: str
    version: int
    number: int
    reason: str
    at_us: int


@dataclass(slots=True)
class Watched:
    """Everything that was seen, each in its order."""

    claims: list[Claim] = field(default_factory=list)
    terms: list[Heard] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)


class Watch:
    """Watches a plane in threads of its own, as long as it is a context."""

    def __init__(self, plane: Plane, watched: Watched) -> None:
        self._plane, self._watched = plane, watched
        self._ending, self._held = threading.Event(), ExitStack()
        self._broke: list[BaseException] = []
        self._newest: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        for control in self._plane.controls:
            self._often(LEADS_EVERY_S, partial(self._ask_who_leads, control))
        for edge in self._plane.edges:
            self._often(TERM_EVERY_S, partial(self._read_term, edge))
        # One try, and no answer is waited for long: what is seen is what was said at that moment.
        asked = self._held.enter_context(self._plane.asked(ASKED_S, Patience(tries=1)))
        self._often(DECIDED_EVERY_S, partial(self._ask_decisions, asked))
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._held.close()
        if self._broke:
            raise self._broke[0]

    def _often(self, every_s: float, look: Callable[[], None]) -> None:
        def live() -> None:
            try:
                while not self._ending.wait(every_s):
                    look()
            except BaseException as error:  # noqa: BLE001 (raised again at the end)
                self._broke.append(error)

        thread = threading.Thread(target=live)
        thread.start()
        self._held.callback(thread.join)

    def _ask_who_leads(self, control: Control) -> None:
        asked_us = now_us()
        if control.leads():
            self._watched.claims.append(Claim(control.port, asked_us, now_us()))

    def _read_term(self, edge: Edge) -> None:
        term = edge.term()
        last = next((one for one in reversed(self._watched.terms) if one.edge == edge.name), None)
        if term is not None and (last is None or last.term != term):
            self._watched.terms.append(Heard(edge.name, now_us(), term))

    def _ask_decisions(self, asked: ControlPlane) -> None:
        try:
            runs = asked.experiments()
        except RolloutError:
            return
        for run in runs:
            number, reason = (0, "") if run.decision is None else (run.decision.number, run.decision.reason)
            if self._newest.get(run.uid) != (run.version, number):
                self._newest[run.uid] = (run.version, number)
                self._watched.seen.append(Seen(run.uid, run.version, number, reason, now_us()))
