"""The last hour in memory, fed by every committed transaction: a look reads sums, and never scans."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from rollout.domain.records import MINUTE_US, Threshold
from rollout.stats.starts import Starts
from rollout.store.changes import Changes
from rollout.store.live_errors import ErrorCounts, LiveErrors, since_us
from rollout.store.live_limits import Arm, Limit, SinceStarts
from rollout.store.live_windows import LiveWindows
from rollout.store.reading import Reading

FORGET_US: Final = 600_000_000
"""What nobody has asked about for so long is forgotten: its run has ended, or a look reads it anew."""


class Live:
    """Derived and disposable: what it holds of a run was read from the database when a look first asked.

    From then on it follows. A reader has what one transaction left, never half of one: `following` holds
    back new followers while a transaction is under way, and a lock of its own guards the moment of change.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._errors, self._windows = LiveErrors(), LiveWindows()
        self._turn, self._state = threading.RLock(), threading.RLock()
        self._tidied_us = 0

    @property
    def nbytes(self) -> int:
        """The memory of its arrays."""
        with self._state:
            return self._errors.nbytes + self._windows.nbytes

    @contextmanager
    def following(self) -> Iterator[Changes]:
        """Yield what a transaction notes its changes in; they are followed once it has been committed."""
        changes = Changes()
        with self._turn:
            yield changes
            with self._state:
                try:
                    self._errors.apply(changes)
                    self._windows.apply(changes)
                except BaseException:
                    # Half a change would be wrong for good; a look reads everything anew.
                    self._errors, self._windows = LiveErrors(), LiveWindows()
                    raise

    def forget(self, now_us: int) -> None:
        """Forget, once a minute, what nobody asks about any more."""
        with self._state:
            if abs(now_us - self._tidied_us) >= MINUTE_US:
                self._tidied_us = now_us
                self._errors.forget(now_us - FORGET_US)
                self._windows.forget(now_us - FORGET_US)

    def errors(self, run_id: int, alive: Starts, now_us: int) -> ErrorCounts:
        """Return a run's units with a first error since each start, and its requests of the last minutes."""
        minute = now_us // MINUTE_US - 1
        with self._state:
            if self._errors.is_followed(run_id, alive, minute):
                return self._errors.counts(run_id, alive, minute, now_us)
        with self._turn:
            known = self._reading.errors(run_id, since_us(alive), minute)
            with self._state:
                self._errors.follow(run_id, alive, minute, known)
                return self._errors.counts(run_id, alive, minute, now_us)

    def since_starts(
        self, threshold: Threshold, arms: Sequence[str], alive: Starts, now_us: int
    ) -> tuple[Mapping[str, SinceStarts], frozenset[int]]:
        """Return what arms' units did since each start, and which minutes were shared outages."""
        with self._state:
            limit = self._windows.limit(threshold.identity)
            if limit is not None and all(_is_followed(limit.arms.get(arm)) for arm in arms):
                return self._since(limit, arms, alive, now_us)
        with self._turn:
            limit = self._followed(threshold)
            for arm in arms:
                if not _is_followed(limit.arms.get(arm)):
                    known = self._reading.units(threshold.identity, arm)
                    with self._state:
                        self._windows.follow_units(limit, arm, alive, known)
            with self._state:
                return self._since(limit, arms, alive, now_us)

    def places(self, threshold: Threshold, now_us: int) -> tuple[str, ...]:
        """Return which arms a limit has seen."""
        with self._turn:
            limit = self._followed(threshold)
            limit.asked_us = now_us
            return tuple(limit.arms)

    def _followed(self, threshold: Threshold) -> Limit:
        """Return a limit, followed from now on; only in one's turn, so that no transaction is under way."""
        limit = self._windows.limit(threshold.identity)
        if limit is None:
            known = self._reading.arms(threshold.identity)
            with self._state:
                limit = self._windows.follow(threshold, *known)
        return limit

    def _since(
        self, limit: Limit, arms: Sequence[str], alive: Starts, now_us: int
    ) -> tuple[Mapping[str, SinceStarts], frozenset[int]]:
        limit.asked_us = now_us
        found = {arm: self._windows.since(limit, arm, alive, now_us) for arm in arms}
        return found, frozenset(limit.outages)


def _is_followed(arm: Arm | None) -> bool:
    return arm is not None and arm.owner is not None
