"""Outcomes told in the background: recording one never waits, never raises, and never grows without bound."""

from __future__ import annotations

import atexit
import logging
import os
import random
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rollout.client.addresses import Addresses, Trust
from rollout.client.connection import Connection, Patience
from rollout.client.outcomes import OutcomesDoor
from rollout.client.telling import Item, line_of
from rollout.errors import RolloutError

_LOG: Final = logging.getLogger("rollout.client")
_COMPLAINS_EVERY_S: Final = 60.0
_FIRST_PAUSE_S: Final = 0.2
_ONCE: Final = Patience(tries=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many outcomes wait at most, and when they are sent."""

    room: int = 20_000
    """What is recorded beyond is dropped, and counted."""
    batch: int = 500
    age_s: float = 1.0
    """How long an outcome waits for others at most."""
    longest_pause_s: float = 30.0
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.batch <= self.room or not self.age_s > 0:
            raise ValueError("pace: needs 0 < batch <= room, and an age above 0")


class OutcomeRecorder:
    """Tells one control plane what became of units; one for a process, shared by all its threads.

    What could not be delivered is tried again for as long as the process lives, under the same key, so that
    nothing is counted twice. A forked child begins empty: what waits is told by the process that recorded it.
    """

    _turn: threading.Condition
    _leaving: threading.Event
    _queue: deque[Item]
    _thread: threading.Thread | None
    _is_closing: bool
    _give_up_s: float
    _complained_s: float | None
    _recorded: int
    _settled: int
    _flush_to: int
    _dropped: int
    _refused: int
    _delivered: int
    _own: str
    _number: int
    """Of the key that is drawn for the next outcome without one."""

    def __init__(
        self, url: str, *, token: str | None = None, ca_file: Path | None = None, pace: Pace = Pace()
    ) -> None:
        addresses = Addresses.of(url, None if ca_file is None else Trust(ca_file))
        self._connect: Callable[[], OutcomesDoor] = lambda: OutcomesDoor(
            Connection(addresses, token=token, timeout_s=pace.timeout_s, patience=_ONCE)
        )
        self._pace = pace
        self._left_behind: list[OutcomesDoor] = []
        self._door = self._connect()
        self._begin()
        _watch(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def record_outcome(
        self,
        unit: str,
        metric: str,
        value: float,
        at: datetime | int | None = None,
        key: str | None = None,
    ) -> bool:
        """Remember an outcome for the background; return whether there was room.

        `at` is when it happened, aware or in microseconds since 1970; without it, now. `key`, such as an
        order's number, makes it one outcome however often it is recorded; without it each call is one.
        """
        now_us = time.time_ns() // 1_000
        with self._turn:
            waiting = len(self._queue)
            if waiting >= self._pace.room or self._is_closing:
                self._dropped += 1
                has_room = False
            else:
                self._queue.append((unit, metric, value, now_us if at is None else at, key))
                self._recorded += 1
                has_room = True
                if waiting == 0 or waiting + 1 == self._pace.batch:
                    self._wake()
        if not has_room:
            self._complain("there is no room for more outcomes: is the control plane away?")
        return has_room

    @property
    def dropped(self) -> int:
        """How many outcomes were lost: there was no room, or no time when it closed."""
        return self._dropped

    @property
    def refused(self) -> int:
        """How many outcomes the control plane would not take, or that cannot be told at all."""
        return self._refused

    @property
    def delivered(self) -> int:
        """How many outcomes are on the control plane's disk."""
        return self._delivered

    @property
    def waiting(self) -> int:
        """How many outcomes are still to be told."""
        return self._recorded - self._settled

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what waits, and return whether all that was recorded before is settled in time."""
        with self._turn:
            wanted = self._recorded
            self._flush_to = max(self._flush_to, wanted)
            self._wake()
            return self._turn.wait_for(lambda: self._settled >= wanted, timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Send what waits and end; return whether everything was told. What is recorded later is dropped."""
        with self._turn:
            if self._is_closing:
                return self.waiting == 0
            self._is_closing = True
            self._give_up_s = time.monotonic() + timeout_s
            thread = self._thread
            self._turn.notify_all()
        self._leaving.set()
        if thread is not None:
            thread.join(timeout_s + self._pace.timeout_s)
        with self._turn:
            left = self.waiting
            self._dropped += left
            self._settled = self._recorded
        if thread is None or not thread.is_alive():
            self._door.close()
        if left:
            _LOG.warning("rollout: %d outcomes were not told before the end", left)
        return left == 0

    def _begin(self) -> None:
        """Begin with nothing: at the start, and in a forked child, where no lock of the parent's is held."""
        self._turn, self._leaving = threading.Condition(), threading.Event()
        self._queue, self._thread = deque(), None
        self._is_closing, self._give_up_s, self._complained_s = False, 0.0, None
        self._recorded = self._settled = self._flush_to = 0
        self._dropped = self._refused = self._delivered = self._number = 0
        self._own = secrets.token_hex(8)

    def _wake(self) -> None:
        """Have the background look; it begins with the first outcome."""
        if self._thread is None and self._queue:
            self._thread = threading.Thread(target=self._work, name="rollout-outcomes", daemon=True)
            self._thread.start()
        self._turn.notify_all()

    def _work(self) -> None:
        while batch := self._next():
            lines = [line for one in batch if (line := self._line(one)) is not None]
            told = self._deliver(lines) if lines else (0, 0)
            with self._turn:
                if told is None:  # no time is left: close counts what it leaves behind
                    return
                self._delivered += told[0]
                self._refused += len(batch) - told[0]
                self._settled += len(batch)
                self._turn.notify_all()

    def _next(self) -> list[Item]:
        """Return the next outcomes once there are enough, or they have waited enough; none at the end."""
        with self._turn:
            self._turn.wait_for(lambda: bool(self._queue) or self._is_closing)
            self._turn.wait_for(self._is_due, self._pace.age_s)
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._pace.batch))]

    def _is_due(self) -> bool:
        is_asked = self._flush_to > self._settled
        return len(self._queue) >= self._pace.batch or self._is_closing or is_asked

    def _line(self, item: Item) -> bytes | None:
        self._number += 1
        try:
            return line_of(item, f"{self._own}-{self._number}")
        except (TypeError, ValueError, OverflowError) as error:
            self._complain(f"an outcome cannot be told: {error}")
            return None

    def _deliver(self, lines: list[bytes]) -> tuple[int, int] | None:
        """Tell these until they are taken; return how many were, and were not, or None when time is over."""
        content, pause_s = b"\n".join(lines), _FIRST_PAUSE_S
        while True:
            try:
                told = self._door.tell(content, len(lines))
            except RolloutError as error:
                self._complain(f"outcomes wait: {error}")
            else:
                if told.refused:
                    why = told.problems[0].detail
                    self._complain(f"{told.refused} of {len(lines)} outcomes were refused: {why}")
                return told.accepted, told.refused
            if self._is_closing and time.monotonic() >= self._give_up_s:
                return None
            wait_s = pause_s * random.uniform(0.5, 1.0)  # noqa: S311 (it spreads callers, and hides nothing)
            if self._leaving.wait(wait_s):
                time.sleep(_FIRST_PAUSE_S)
            pause_s = min(2 * pause_s, self._pace.longest_pause_s)

    def _complain(self, what: str) -> None:
        """Log what is wrong, at most once a minute."""
        now_s = time.monotonic()
        if self._complained_s is None or now_s - self._complained_s >= _COMPLAINS_EVERY_S:
            self._complained_s = now_s
            _LOG.warning("rollout: %s (so far %d dropped, %d refused)", what, self._dropped, self._refused)

    def _begin_in_child(self) -> None:
        # Closing it would end the parent's connection too, where that is encrypted.
        self._left_behind.append(self._door)
        self._door = self._connect()
        self._begin()


def _watch(recorder: OutcomeRecorder) -> None:
    """Close a recorder at the end of the process, and begin it anew in a forked child, while it is in use."""
    known = weakref.ref(recorder)

    def end() -> None:
        if (found := known()) is not None:
            found.close()

    def begin() -> None:
        if (found := known()) is not None:
            found._begin_in_child()  # noqa: SLF001 (its own)

    atexit.register(end)
    os.register_at_fork(after_in_child=begin)
