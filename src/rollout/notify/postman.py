"""Carries letters from the outbox to their receivers, away from every tick: a dead receiver delays itself."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

import structlog

from rollout.ports import Delivered, Notifier, Outbox, Parcel

LOOKS_EVERY_S: Final = 1.0
TIDIES_EVERY_S: Final = 60.0
AT_ONCE: Final = 4
"""So many receivers are sent to at the same time; each takes at most its courier's half minute."""
LONGEST_SILENCE_S: Final = 60.0
ENDS_WITHIN_S: Final = 5.0
_LOG = structlog.get_logger(part="notify")


class Postman:
    """Sends what is due until it is told to stop; several postmen share one outbox and send nothing twice."""

    def __init__(
        self,
        outbox: Outbox,
        notifier: Notifier,
        *,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
        chance: Callable[[], float] = random.random,
        holder: str | None = None,
    ) -> None:
        self._outbox, self._notifier, self._now_us, self._chance = outbox, notifier, now_us, chance
        self._holder = holder or secrets.token_hex(8)
        self._changed, self._stopping = threading.Event(), threading.Event()
        self._failures = 0

    def run(self) -> None:
        """Send until `stop`; what is on its way then has a few seconds to end."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="postman") as couriers:
            underway: set[Future[bool]] = set()
            tidied_s = time.monotonic() - TIDIES_EVERY_S
            while not self._stopping.is_set():
                underway = {one for one in underway if not one.done()}
                if len(underway) < AT_ONCE and (parcel := self._claimed()) is not None:
                    underway.add(couriers.submit(self._deliver, parcel))
                    continue
                if time.monotonic() - tidied_s >= TIDIES_EVERY_S:
                    tidied_s = time.monotonic()
                    self._guarded(lambda: self._outbox.tidy(self._now_us()))
                self._changed.wait(self._pause_s())
                self._changed.clear()
            wait(underway, timeout=ENDS_WITHIN_S)
            self._notifier.stop()

    def stop(self) -> None:
        """Begin nothing more, and let `run` return."""
        self._stopping.set()
        self._changed.set()

    def step(self) -> bool:
        """Send one letter that is due; return whether there was one."""
        parcel = self._claimed()
        return parcel is not None and self._deliver(parcel)

    def _claimed(self) -> Parcel | None:
        found: list[Parcel | None] = []
        self._guarded(lambda: found.append(self._outbox.claim(self._holder, self._now_us())))
        return found[0] if found else None

    def _deliver(self, parcel: Parcel) -> bool:
        """Send one letter and note what came of it; an outbox that cannot be written to is tried again."""
        try:
            delivered = self._notifier.send(parcel.receiver, parcel.letter)
        except Exception as error:  # noqa: BLE001 (a broken notifier must not end the postman)
            delivered = Delivered(is_taken=False, why=f"a defect: {type(error).__name__}")
        if not delivered.is_taken:
            _LOG.warning(
                "a receiver could not be told",
                receiver=parcel.receiver,
                letter=parcel.letter.id,
                tries=parcel.tries + 1,
                reason=delivered.why,
            )
        elif parcel.tries > 0:
            _LOG.info("a receiver could be told at last", receiver=parcel.receiver, letter=parcel.letter.id)
        self._guarded(lambda: self._outbox.settle(parcel, delivered, self._now_us(), chance=self._chance()))
        self._changed.set()
        return True

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do something with the outbox; while the database is away, try more and more rarely."""
        try:
            work()
            self._failures = 0
        except Exception as error:  # noqa: BLE001 (the postman outlives a database that is away for a while)
            self._failures += 1
            _LOG.error("the outbox cannot be used", problem=type(error).__name__, failures=self._failures)

    def _pause_s(self) -> float:
        return min(LOOKS_EVERY_S * 2.0 ** min(self._failures, 10), LONGEST_SILENCE_S)
