"""People who start runs, ask things of them and remember what was acknowledged to them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self, TypeVar

from rollout.client.answers import ExperimentAnswer, StartedAnswer
from rollout.client.control_plane import ControlPlane
from rollout.client.wishes import AskedAnswer
from rollout.domain.experiment import ENDED, Phase
from rollout.errors import RequestRefused, RolloutError
from tests.e2e.crowd import now_us
from tests.faults.control.plane import Plane
from tests.faults.control.policies import FIRST_VERSION, GOOD, HANDS

Answered = TypeVar("Answered")
LOOKS_S: Final = 0.15
LEAVES_WITHIN_S: Final = 150.0
PAUSES: Final = 0.3
"""The share of runs on their way to proof that somebody pauses and resumes."""
SCRIPTS: Final = (
    ("pause", "resume", "promote"),
    ("promote",),
    ("pause", "rollback"),
    ("rollback",),
    ("pause", "stop"),
)
"""What people ask of a run that only they move, one after the other."""
_ENDED: Final = frozenset(phase.value for phase in ENDED)
_TAKEN_BACK: Final = frozenset({Phase.PROMOTING.value, Phase.WATCHING.value})
_ON_ITS_WAY: Final = frozenset({Phase.RUNNING.value, Phase.PAUSED.value}) | _TAKEN_BACK
"""Whoever leaves does not wait for what may still take long: it is stopped, or taken back."""


@dataclass(frozen=True, slots=True)
class Word:
    """Something that was asked under a reason that nothing else was asked under."""

    name: str
    verb: str
    why: str
    at_us: int
    """When it was answered, or given up."""
    is_acknowledged: bool
    """Whether somebody was told that it is recorded; otherwise it may be, or not."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A start that was acknowledged, with the run that it began."""

    name: str
    uid: str
    version: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """A run that did not end, although everything was mended long ago."""

    what: str
    at_us: int


@dataclass(slots=True)
class Told:
    """What all people remember."""

    words: list[Word] = field(default_factory=list)
    begun: list[Begun] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0


class Person:
    """Looks after the runs of one name, in a thread of its own; as a context it leaves at the end."""

    def __init__(self, plane: Plane, name: str, told: Told, seed: str) -> None:
        self._plane, self._name, self._told = plane, name, told
        self._chance = random.Random(f"{seed}/{name}")  # noqa: S311 (a story)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._live, name=name)
        self._broke: BaseException | None = None
        self._script: list[str] = []
        self.is_served = threading.Event()
        """Whether the name's first run has begun."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join(LEAVES_WITHIN_S)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name}: no end within {LEAVES_WITHIN_S:g} s")
        if self._broke is not None:
            raise self._broke

    def _live(self) -> None:
        try:
            with self._plane.asked() as asked:
                ends_s = None
                while ends_s is None or time.monotonic() < ends_s:
                    if self._leaving.is_set() and ends_s is None:
                        ends_s = time.monotonic() + LEAVES_WITHIN_S - 10.0
                    if self._look(asked) and ends_s is not None:
                        return
                    time.sleep(LOOKS_S)
                run = self._try(partial(asked.experiment, self._name))
                self._told.stuck.append(Stuck(f"{self._name}: {run}", now_us()))
        except BaseException as error:  # noqa: BLE001 (raised again where the person is waited for)
            self._broke = error

    def _look(self, asked: ControlPlane) -> bool:
        """Do what is next; return whether the present run has ended and nothing is open."""
        runs = self._try(asked.experiments)
        if runs is None:
            return False
        run = next((one for one in runs if one.name == self._name), None)
        if run is not None and run.wish is not None:
            return False
        if run is None or run.phase in _ENDED:
            if not self._leaving.is_set():
                self._start(asked, run)
            return True
        self.is_served.set()
        if run.rollback_wish is not None:  # it stays there, for the record
            return False
        if (verb := self._next(run)) is not None:
            self._ask(asked, verb, run)
        return False

    def _next(self, run: ExperimentAnswer) -> str | None:
        if run.phase == Phase.ACTION_FAILED:
            return "retry"
        if self._leaving.is_set() and run.phase in _ON_ITS_WAY:
            return "rollback" if run.phase in _TAKEN_BACK else "stop"
        if self._script and run.phase in {Phase.RUNNING, Phase.PAUSED}:
            return self._script.pop(0)
        return "resume" if run.phase == Phase.PAUSED else None

    def _start(self, asked: ControlPlane, before: ExperimentAnswer | None) -> None:
        served, tried = FIRST_VERSION, FIRST_VERSION
        if before is not None:
            tried = int(before.candidates[0])
            served = tried if before.phase == Phase.PROMOTED else int(before.baseline)
        text = self._plane.texts.of(self._name, served, tried + 1)
        started = self._try(partial(asked.start, text.encode(), file=f"{self._name}.yaml"))
        if isinstance(started, StartedAnswer):
            run = started.experiment
            self._told.begun.append(Begun(self._name, run.uid, run.candidates[0], now_us()))
        self._script = self._drawn()

    def _drawn(self) -> list[str]:
        if self._name == HANDS:
            return list(self._chance.choice(SCRIPTS))
        is_paused = self._name == GOOD and self._chance.random() < PAUSES
        return ["pause", "resume"] if is_paused else []

    def _ask(self, asked: ControlPlane, verb: str, run: ExperimentAnswer) -> None:
        why = f"{verb} {self._name} {self._chance.getrandbits(64):016x}"
        verbs: dict[str, Callable[..., AskedAnswer]] = {
            "pause": asked.pause,
            "resume": asked.resume,
            "promote": partial(asked.promote, override=True),
            "rollback": asked.rollback,
            "stop": asked.stop,
            "retry": asked.retry,
        }
        answer = self._try(partial(verbs[verb], run.name, why=why))
        # What stands there already is acknowledged under the reason of whoever asked first.
        is_recorded = isinstance(answer, AskedAnswer) and answer.is_new
        self._told.words.append(Word(self._name, verb, why, now_us(), is_recorded))

    def _try(self, call: Callable[[], Answered]) -> Answered | None:
        try:
            return call()
        except RequestRefused:
            self._told.refused += 1
        except RolloutError:
            self._told.unanswered += 1
        return None
