"""Who leads runs everything that writes; who does not stands by, and tries again every second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.types import ASGIApp

from rollout import logs
from rollout.errors import RolloutError
from rollout.store.database import Database
from rollout.wiring.front import Front, Leader

SAYS_EVERY_S: Final = 60.0
"""How often a standby says again why it cannot even ask for the lead."""
_log = logs.get("leadership")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, in seconds, a standby asks whether it may lead, and a leader says that it still does."""

    stands_every_s: float = 1.0
    renews_every_s: float = 1.5


class Mandate(Protocol):
    """The right to write, until another one has a higher term."""

    @property
    def database(self) -> Database:
        """What may be written; every transaction checks the term."""

    @property
    def term(self) -> int:
        """A number that no leader before had; it only grows."""

    def holds(self) -> bool:
        """Return whether nobody else can have been elected yet: by this machine's clock, asking nobody."""

    def renew(self) -> bool:
        """Hold for longer; return whether nobody else leads. Raises while the database is away."""

    def give_up(self) -> None:
        """Let the next one lead at once."""


class Candidate(Protocol):
    """One process that would lead."""

    def stand(self) -> Mandate | None:
        """Lead from now on, or return nothing while another one does. Raises while nobody can be asked."""

    def leader(self) -> str | None:
        """Return the address of whoever leads, as far as was heard last; asks nobody."""


Parts = Callable[[Mandate], AbstractContextManager[ASGIApp]]
"""Runs everything that a leader is made of, and yields the application that answers for it."""


class Leading:
    """Opens a leader's parts whenever this process is elected, and closes them when another one is.

    While the database is away a leader keeps its parts, and nobody is elected; the front answers as a standby
    once its time is up, for by then somebody else might be.
    """

    def __init__(
        self,
        candidate: Candidate,
        parts: Parts,
        front: Front,
        *,
        pace: Pace = Pace(),
    ) -> None:
        self._candidate, self._parts, self._front, self._pace = candidate, parts, front, pace
        self._mandate: Mandate | None = None
        self._held = ExitStack()
        self._ending = threading.Event()
        self._said_s: float | None = None

    def begin(self) -> bool:
        """Stand for election once, now; return whether this process leads. Whatever fails is raised."""
        mandate = self._candidate.stand()
        if mandate is None:
            return False
        self._mandate, is_open = mandate, threading.Event()
        keeper = threading.Thread(target=self._renew_until, args=[is_open, mandate], daemon=True)
        keeper.start()
        try:
            application = self._held.enter_context(self._parts(mandate))
        except BaseException:
            self._mandate = None
            self._held.close()
            mandate.give_up()
            raise
        finally:
            is_open.set()
            keeper.join()
        self._front.lead(Leader(application, mandate.holds))
        return True

    def run(self) -> None:
        """Lead whenever elected, until told to stop."""
        while not self._ending.wait(self._pause_s()):
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 (it outlives a database that is away)
                self._say(error)
            else:
                self._said_s = None
        self._close()

    def stop(self) -> None:
        """Let `run` return."""
        self._ending.set()

    def _step(self) -> None:
        if self._mandate is None:
            began_s = time.monotonic()
            if self.begin():
                opened_s = round(time.monotonic() - began_s, 3)
                _log.warning("nobody led any more: this control plane leads now", opened_within_s=opened_s)
        elif not self._mandate.renew():
            _log.error("another control plane leads now: this one closes what writes, and stands by")
            self._close()

    def _pause_s(self) -> float:
        return self._pace.stands_every_s if self._mandate is None else self._pace.renews_every_s

    def _close(self) -> None:
        """Close the parts, the front before them, and only then let somebody else lead."""
        mandate, self._mandate = self._mandate, None
        if mandate is not None:
            self._front.stand_by()
            self._held.close()
            mandate.give_up()

    def _renew_until(self, is_open: threading.Event, mandate: Mandate) -> None:
        while not is_open.wait(self._pace.renews_every_s):
            try:
                if not mandate.renew():
                    return
            except Exception as error:  # noqa: BLE001 (whoever opens will notice)
                self._say(error)

    def _say(self, error: Exception) -> None:
        now_s = time.monotonic()
        if self._said_s is None or now_s - self._said_s >= SAYS_EVERY_S:
            self._said_s = now_s
            if isinstance(error, RolloutError):
                _log.warning("who leads cannot be asked; it is asked again", problem=str(error))
            else:
                _log.error("this control plane cannot lead; it tries again", exc_info=error)
