"""The due queue: every served run is ticked at its own pace, and a broken one delays no other."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from rollout.controller.due import Due, Queue
from rollout.controller.figures import Counted, Figures
from rollout.controller.pace import Pace
from rollout.controller.reconcile import Tick
from rollout.controller.workers import Threads, Workers
from rollout.errors import RolloutError
from rollout.ports import Ledger, Standing, Unread

FINISH_WITHIN_S: Final = 10.0
YOUNG_AT_ONCE: Final = 4
YOUNG_S: Final = 0.25
"""So many looks that have only just begun go on at once: more would share one processor and all be late. One
that lasts longer waits for something, and others begin beside it."""
_LOG = structlog.get_logger(part="controller")


@dataclass(frozen=True, slots=True)
class Clock:
    """The time for pauses, which never goes back, and the time of day for decisions."""

    steady_s: Callable[[], float] = time.monotonic
    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000


class Loop:
    """Ticks every run that the ledger serves, until it is told to stop."""

    def __init__(  # noqa: PLR0913 (time, chance and threads are arguments)
        self,
        ledger: Ledger,
        tick: Callable[[str, int], Tick | None],
        *,
        pace: Pace = Pace(),  # noqa: B008 (frozen)
        clock: Clock = Clock(),
        chance: Callable[[], float] = random.random,
        workers: Workers | None = None,
    ) -> None:
        self._ledger, self._tick = ledger, tick
        self._pace, self._clock, self._chance = pace, clock, chance
        self._workers = Threads() if workers is None else workers
        self._turn = threading.Lock()
        self._queue = Queue()
        self._discover_at_s = clock.steady_s()
        self._awake_at_s = math.inf
        """When `run` next looks what is due, by itself: whatever is due sooner wakes it."""
        self._unread = 0
        self._counted = Counted()
        self._named: frozenset[str] = frozenset()
        self._changed, self._stopping = threading.Event(), threading.Event()

    def run(self) -> None:
        """Tick until `stop`; the ticks that still run then are given a little time."""
        while not self._stopping.is_set():
            self._changed.wait(self.turn())
            self._changed.clear()
        if not self._workers.finish(FINISH_WITHIN_S):
            _LOG.warning("a tick did not end in time; the next start goes on where it was cut off")

    def stop(self) -> None:
        """Begin no more ticks, and let `run` return; safe to call from a signal handler or a thread."""
        self._stopping.set()
        self._changed.set()

    def wake(self) -> None:
        """Look for new runs and changed ones now: somebody has just recorded something."""
        self._discover_at_s = self._clock.steady_s()
        self._changed.set()

    def hurry(self, names: Collection[str]) -> None:
        """Look at these policies' runs as soon as their pace allows: evidence against them has just come."""
        with self._turn:
            for uid, one in self._queue.runs.items():
                if one.name not in names:
                    continue
                one.is_urgent, one.is_hurried = one.is_busy, not one.is_busy
                one.at_s = min(one.at_s, one.soonest_s)
                if not one.is_busy:
                    self._queue.put(uid)
        self._changed.set()

    def figures(self) -> Figures:
        """Return how the loop fares; asking takes nothing from it."""
        with self._turn:
            now_s = self._clock.steady_s()
            runs = self._queue.runs.values()
            due_s = [now_s - one.since_s for one in runs if not one.is_busy]
            return self._counted.figures(
                [now_s - one.began_s for one in runs if one.is_busy],
                [seconds for seconds in due_s if seconds >= 0],
                runs=len(runs),
                ledger_failures=self._unread,
            )

    def turn(self) -> float:
        """Begin every tick that is due, and return how many seconds to wait for the next."""
        if self._clock.steady_s() >= self._discover_at_s:
            self._discover()
        begun = set[str]()
        while not self._stopping.is_set():
            now_s = self._clock.steady_s()
            with self._turn:
                uid, young = self._queue.first(now_s), self._queue.young(now_s - YOUNG_S)
            if uid is None:
                break
            if young >= YOUNG_AT_ONCE:
                with self._turn:
                    self._awake_at_s = math.inf
                return YOUNG_S  # or until one of them has ended
            if uid in begun:
                return 0.0  # due again already: first see what else there is to do
            self._begin(uid)
            begun.add(uid)
        with self._turn:
            self._awake_at_s = min(self._discover_at_s, self._queue.next_s())
            return max(self._awake_at_s - self._clock.steady_s(), 0.0)

    def _discover(self) -> None:
        """Read which runs there are; those that somebody changed are due at once."""
        now_s = self._clock.steady_s()
        self._discover_at_s = now_s + self._pace.interval_s
        try:
            found = self._ledger.served()
        except Exception as error:  # noqa: BLE001 (the loop outlives a ledger that cannot be read for a while)
            self._unread += 1
            self._discover_at_s = now_s + self._pace.after_failures(self._unread)
            _LOG.error("the ledger cannot be read", problem=str(error), failures=self._unread)
            return
        self._unread = 0
        self._name_unreadable([one for one in found if isinstance(one, Unread)])
        with self._turn:
            served = {one.experiment.uid: one for one in found if isinstance(one, Standing)}
            queue = self._queue
            for uid in [uid for uid, one in queue.runs.items() if uid not in served and not one.is_busy]:
                queue.drop(uid)
            for uid, run in served.items():
                known = queue.runs.get(uid)
                if known is None:
                    queue.runs[uid] = Due(now_s, run.version, run.experiment.policy.name)
                elif known.version != run.version and not known.is_busy:
                    known.version, known.at_s, known.is_hurried = run.version, now_s, True
                else:
                    continue
                queue.put(uid)

    def _name_unreadable(self, runs: Sequence[Unread]) -> None:
        """Log, once for each, the runs that nobody looks at because they cannot be read."""
        for run in runs:
            if run.uid not in self._named:
                _LOG.error("a run cannot be read: its route stays as it is", problem=str(run.problem))
        self._named = frozenset(run.uid for run in runs)

    def _begin(self, uid: str) -> None:
        with self._turn:
            now_s = self._clock.steady_s()
            due_s = self._take(uid, now_s)
        if self._workers.begin(f"tick-{uid}", lambda: self._carry_on(uid)):
            with self._turn:
                self._counted.began(now_s - due_s)
            return
        with self._turn:
            one = self._queue.runs[uid]
            self._counted.refused += 1
            one.is_busy, one.refused_s, one.at_s = False, due_s, now_s + self._pace.interval_s
            self._queue.put(uid)

    def _take(self, uid: str, now_s: float) -> float:
        """Have a run be looked at from now on, and return since when it was due; only within a turn."""
        one = self._queue.take(uid)
        due_s, one.began_s = one.since_s, now_s
        one.is_busy, one.is_urgent, one.is_hurried = True, False, False
        return due_s

    def _carry_on(self, uid: str) -> None:
        """Tick one run, and in the same thread what is due then: each handing over costs a part of a look."""
        seen = set[str]()
        another: str | None = uid
        while another is not None:
            seen.add(another)
            self._carry_out(another)
            another = self._another(seen)

    def _another(self, seen: Collection[str]) -> str | None:
        """Return a run that is due, as taken; none when this thread had it before, or there are enough."""
        with self._turn:
            now_s = self._clock.steady_s()
            uid = None if self._stopping.is_set() else self._queue.first(now_s)
            if uid is None:
                return None
            if uid in seen or self._queue.young(now_s - YOUNG_S) >= YOUNG_AT_ONCE:
                self._changed.set()
                return None
            self._counted.began(now_s - self._take(uid, now_s))
            return uid

    def _carry_out(self, uid: str) -> None:
        """Tick one run, and put it back into the queue whatever came of it."""
        tick: Tick | None = None
        problems: tuple[Exception, ...] = ()
        try:
            tick = self._tick(uid, self._clock.now_us())
            problems = () if tick is None else tick.problems
        except Exception as error:  # noqa: BLE001 (one run's defect is not the others')
            problems = (error,)
        with self._turn:
            one = self._queue.runs[uid]
            one.is_busy, one.refused_s = False, None
            one.failures = one.failures + 1 if problems else 0
            pause_s = self._pause_s(tick, one.failures)
            now_s = self._clock.steady_s()
            self._counted.ended(now_s - one.began_s, is_well=not problems)
            one.at_s = now_s + self._pace.spread(pause_s, self._chance())
            one.soonest_s = min(now_s + self._pace.shortest_after(pause_s), one.at_s)
            if one.is_urgent:
                one.at_s, one.is_hurried = one.soonest_s, True
            if tick is not None:
                one.version = tick.version
            self._queue.put(uid)
            if one.at_s < self._awake_at_s:
                self._changed.set()
            text = "\n".join(f"{type(problem).__name__}: {problem}" for problem in problems)
            is_new, one.said = text != one.said, text
        if is_new:
            _say(uid, problems)

    def _pause_s(self, tick: Tick | None, failures: int) -> float:
        if tick is not None:
            return self._pace.after(tick, failures)
        return self._pace.after_failures(failures) if failures else self._pace.interval_s


def _say(uid: str, problems: tuple[Exception, ...]) -> None:
    """Log a run's problems once, not at every tick; a defect of ours with where it is."""
    for problem in problems:
        if isinstance(problem, RolloutError):
            _LOG.warning("a part of a tick did not work", uid=uid, problem=str(problem))
        else:
            _LOG.error("a part of a tick is broken", uid=uid, exc_info=problem)
    if not problems:
        _LOG.info("every part of a tick works again", uid=uid)
