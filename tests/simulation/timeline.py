"""Time and turns of a simulated world: everything happens in one order, drawn from one seed.

Processes are real threads, because the code under test is ordinary code that calls and waits; but only one of
them ever runs, and it says itself when it waits. So a process can be held up in the middle of anything.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

STUCK_S: Final = 60.0
"""How long, in real time, one step may take before the simulation itself is taken for broken."""


class Cut(BaseException):
    """A process is cut off here; only what was recorded outside it goes on."""


class Over(BaseException):
    """The world ends, whatever a process was doing."""


@dataclass(eq=False)
class Fiber:
    """A process, or a part of one, that waits for its turn."""

    name: str
    go: threading.Lock = field(default_factory=threading.Lock)
    token: int = 0
    """Counts its waits: an appointment of an earlier one is void."""
    doom: BaseException | None = None
    """What is raised where it waits, once it is its turn."""
    is_idle: bool = False
    is_over: bool = False

    def __post_init__(self) -> None:
        self.go.acquire()


_Due = tuple[float, int, "Callable[[], None] | Fiber", int]


class Timeline:
    """What happens next, and whose turn it is."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[_Due] = []
        self._order = count()
        self._main = Fiber("main")
        self._current = self._main
        self._fibers: list[Fiber] = []
        self._failure: BaseException | None = None

    def at(self, at_s: float, do: Callable[[], None]) -> None:
        """Have something done at a time, by nobody in particular."""
        heapq.heappush(self._due, (max(at_s, self.now_s), next(self._order), do, 0))

    def after(self, pause_s: float, do: Callable[[], None]) -> None:
        """Have something done in a while."""
        self.at(self.now_s + pause_s, do)

    def begin(self, name: str, body: Callable[[], None]) -> Fiber:
        """Begin a process; its first turn is now."""
        fiber = Fiber(name)
        self._fibers.append(fiber)
        thread = threading.Thread(target=self._live, args=(fiber, body), name=name, daemon=True)
        thread.start()
        self._appoint(fiber, 0.0)
        return fiber

    def pause(self, for_s: float, *, is_idle: bool = False) -> None:
        """Let others have their turns, and go on after this time."""
        me = self._current
        if me.doom is not None:  # it unwinds: nothing waits any more
            raise me.doom
        me.is_idle = is_idle
        self._appoint(me, for_s)
        self._pump(me)
        me.is_idle = False
        if me.doom is not None:
            raise me.doom

    def wake(self, fiber: Fiber) -> None:
        """Let an idle process go on now."""
        if fiber.is_idle:
            self._appoint(fiber, 0.0)

    def cut(self, fiber: Fiber) -> None:
        """End a process where it stands."""
        if not fiber.is_over and fiber is not self._current:
            fiber.doom = Cut("killed")
            self._appoint(fiber, 0.0)

    def run(self, until_s: float) -> None:
        """Live until a time; raise what broke, if anything did."""
        self._appoint(self._main, until_s - self.now_s)
        self._pump(self._main)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End every process that is left."""
        for fiber in self._fibers:
            if not fiber.is_over:
                fiber.doom = Over()
                self._hand_over(self._main, fiber)

    def _appoint(self, fiber: Fiber, for_s: float) -> None:
        fiber.token += 1
        heapq.heappush(self._due, (self.now_s + max(for_s, 0.0), next(self._order), fiber, fiber.token))

    def _pump(self, me: Fiber) -> None:
        """Do what is due, whoever's it is, until it is this one's turn."""
        while True:
            at_s, _, due, token = heapq.heappop(self._due)
            self.now_s = max(self.now_s, at_s)
            if not isinstance(due, Fiber):
                try:
                    due()
                except BaseException as failure:  # noqa: BLE001 (it ends the world, in the world's own thread)
                    self._break(me, failure)
                    return
            elif due.token == token and not due.is_over:
                if due is not me:
                    self._hand_over(me, due)
                return

    def _break(self, me: Fiber, failure: BaseException) -> None:
        if self._failure is None:
            self._failure = failure
        if me is not self._main:
            self._hand_over(me, self._main)

    def _hand_over(self, me: Fiber, other: Fiber) -> None:
        self._current = other
        other.go.release()
        if not me.is_over and not me.go.acquire(timeout=STUCK_S):
            raise RuntimeError(f"{me.name}: {other.name} never gave the turn back")

    def _live(self, fiber: Fiber, body: Callable[[], None]) -> None:
        fiber.go.acquire()
        failure: BaseException | None = None
        try:
            if fiber.doom is None:
                body()
        except (Cut, Over):
            pass
        except BaseException as error:  # noqa: BLE001 (the same)
            failure = error
        fiber.is_over = True
        if failure is not None:
            self._break(fiber, failure)
        elif isinstance(fiber.doom, Over):
            self._hand_over(fiber, self._main)
        else:
            self._pump_on(fiber)

    def _pump_on(self, fiber: Fiber) -> None:
        """Let the others go on after a process has ended."""
        self._pump(fiber)
