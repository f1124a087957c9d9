"""Accounts made anew beside the looks: compared with those that were kept up, or taking their place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from rollout.lake.accounts.books import Books, Compared

_log = structlog.get_logger(part="accounts")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How making accounts anew goes: what was read so far, and what came of it once it is done."""

    is_check: bool
    is_running: bool
    rows_read: int = 0
    seconds: float = 0.0
    runs: tuple[Compared, ...] = ()
    problem: str | None = None


class Rebuilding:
    """Makes accounts anew, one time at a time; looks use what they knew meanwhile."""

    def __init__(self, books: Books, now_us: Callable[[], int]) -> None:
        self._books, self._now_us = books, now_us
        self._turn = threading.Lock()
        self._state: Rebuilt | None = None

    @property
    def state(self) -> Rebuilt | None:
        """How the newest one goes, or nothing when there was none."""
        return self._state

    def begin(self, *, is_check: bool) -> Rebuilt:
        """Begin, unless one is under way; return how it goes."""
        with self._turn:
            if self._state is None or not self._state.is_running:
                self._state = Rebuilt(is_check, is_running=True)
                work = self._books.check if is_check else self._books.rebuild
                threading.Thread(target=self._carry_out, args=[work], name="rebuild", daemon=True).start()
            return self._state

    def _carry_out(self, work: Callable[[int, Callable[[int], None]], tuple[Compared, ...]]) -> None:
        began_s = time.monotonic()
        problem, runs = None, tuple[Compared, ...]()
        try:
            runs = work(self._now_us(), self._note)
        except Exception as error:  # noqa: BLE001 (told to whoever asked)
            problem = str(error)
            _log.warning("accounts could not be made anew", why=problem)
        with self._turn:
            if self._state is not None:
                seconds = time.monotonic() - began_s
                self._state = replace(
                    self._state, is_running=False, seconds=seconds, runs=runs, problem=problem
                )

    def _note(self, rows: int) -> None:
        with self._turn:
            if self._state is not None:
                self._state = replace(self._state, rows_read=self._state.rows_read + rows)
