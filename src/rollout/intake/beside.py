"""A slow question is asked beside the looks: each waits a little for it, then takes what is known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rollout.controller.workers import Workers

WAIT_S: Final = 0.25
"""How long a look waits for an answer that is under way; harm in the fast counts waits as long."""
FORGET_US: Final = 600_000_000
"""Of a run that nobody has asked about for so long nothing is kept; looked for a hundred times as often."""
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Heard(Generic[Answer]):
    """The newest answer that fits, and for how long a question has been open that was not waited for."""

    answer: Answer | None
    open_us: int = 0
    failure: Exception | None = None
    """What the last asking ended in, if not in an answer."""


@dataclass(slots=True)
class _Slot(Generic[Answer]):
    """One run's question under way, and its newest answer with what it was asked for."""

    since_us: int
    is_open: bool = False
    fits: Hashable = None
    answer: Answer | None = None
    failure: Exception | None = None


class Beside(Generic[Answer]):
    """Asks at most one question at a time for each run; one that hangs keeps only its own run waiting."""

    def __init__(self, workers: Workers, *, wait_s: float = WAIT_S) -> None:
        self._workers, self._wait_s = workers, wait_s
        self._changed = threading.Condition()
        self._slots: dict[str, _Slot[Answer]] = {}
        self._tidied_us = 0

    def newest(
        self, uid: str, fits: Hashable, ask: Callable[[], Answer], now_us: int, *, every_us: int = 0
    ) -> Heard[Answer]:
        """Have the question asked unless one is open, and return the newest answer to the same `fits`.

        An answer that fits and was asked for less than `every_us` ago is not asked for again.
        """
        slot, is_new = self._opened(uid, fits, now_us, every_us)
        if is_new and not self._workers.begin(f"beside-{uid}", lambda: self._carry_out(slot, fits, ask)):
            self._close(slot)
        with self._changed:
            self._changed.wait_for(lambda: not slot.is_open, self._wait_s)
            open_us = max(now_us - slot.since_us, 0) if slot.is_open else 0
            return Heard(slot.answer if slot.fits == fits else None, open_us, slot.failure)

    def finish(self, within_s: float) -> bool:
        """Wait for the questions that are open, and return whether all were answered in time."""
        return self._workers.finish(within_s)

    def _opened(self, uid: str, fits: Hashable, now_us: int, every_us: int) -> tuple[_Slot[Answer], bool]:
        """Return a run's slot, and whether its question is for the caller to ask."""
        with self._changed:
            self._forget(now_us)
            slot = self._slots.setdefault(uid, _Slot(now_us))
            is_known = slot.answer is not None and slot.failure is None and slot.fits == fits
            if slot.is_open or (is_known and 0 <= now_us - slot.since_us < every_us):
                return slot, False
            slot.is_open, slot.since_us = True, now_us
            return slot, True

    def _forget(self, now_us: int) -> None:
        """Give up the answers of runs that nobody asks about any more."""
        if abs(now_us - self._tidied_us) < FORGET_US // 100:
            return
        self._tidied_us = now_us
        old = [one for one, slot in self._slots.items() if now_us - slot.since_us > FORGET_US]
        for one in old:
            if not self._slots[one].is_open:
                del self._slots[one]

    def _carry_out(self, slot: _Slot[Answer], fits: Hashable, ask: Callable[[], Answer]) -> None:
        try:
            slot.answer, slot.fits, slot.failure = ask(), fits, None
        except Exception as error:  # noqa: BLE001 (handed to the look, which goes on without an answer)
            slot.failure = error
        finally:
            self._close(slot)

    def _close(self, slot: _Slot[Answer]) -> None:
        with self._changed:
            slot.is_open = False
            self._changed.notify_all()
