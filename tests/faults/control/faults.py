"""Every fault of what decides, with what users, and whoever waits for a decision, would see."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from tests.faults.control.plane import Plane
from tests.faults.strike import Round

DWELL_S: Final = (0.2, 1.0)
AWAY_S: Final = 120.0
AWAY_EVERY: Final = 20
"""A long absence takes minutes, so it strikes in the first of so many rounds."""
Strike = Callable[[Plane, random.Random], AbstractContextManager[Round]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks, and what people notice of it."""

    title: str
    sees: str
    strike: Strike
    dwell_s: tuple[float, float] = DWELL_S
    """How long it lasts, at least and at most."""
    every: int = 1
    """In the first of so many rounds it strikes."""
    is_of_house: bool = False
    """Whether it is a single house that it strikes."""


@contextmanager
def leader_killed(plane: Plane, _chance: random.Random) -> Iterator[Round]:
    """Kill who leads; the standby takes over, and whoever was killed comes back to stand by."""
    leader = plane.await_leader()
    leader.program.kill()
    found = Round(met=int(plane.await_leader(other_than=leader) is not leader))
    yield found
    leader.program.begin()


@contextmanager
def leader_paused(plane: Plane, _chance: random.Random) -> Iterator[Round]:
    """Freeze who leads until the other one does, and wake it among what it had left half done."""
    leader = plane.await_leader()
    leader.program.freeze()
    found = Round()
    try:
        plane.await_leader(other_than=leader)
        yield found
    finally:
        leader.program.thaw()
    # Whoever slept past its lease leads no longer, from its first answer on.
    found.met = int(not leader.leads())


@contextmanager
def standby_killed(plane: Plane, _chance: random.Random) -> Iterator[Round]:
    """Kill who stands by: who leads need not notice."""
    leader = plane.await_leader()
    standby = plane.standby(leader)
    standby.program.kill()
    yield Round(met=int(not standby.program.is_running))
    standby.program.begin()


@contextmanager
def database_killed(plane: Plane, _chance: random.Random) -> Iterator[Round]:
    """Kill the database; it begins again with what it had acknowledged."""
    assert plane.server is not None
    plane.server.kill()
    try:
        yield Round(met=int(plane.leader() is None))
    finally:
        plane.server.start()


@contextmanager
def both_killed(plane: Plane, _chance: random.Random) -> Iterator[Round]:
    """Kill who leads and the database at once."""
    assert plane.server is not None
    leader = plane.await_leader()
    leader.program.kill()
    plane.server.kill()
    try:
        yield Round(met=int(plane.leader() is None))
    finally:
        plane.server.start()
    plane.await_leader(other_than=leader)
    leader.program.begin()


@contextmanager
def all_killed(plane: Plane, _chance: random.Random) -> Iterator[Round]:
    """Kill every control plane; nobody decides until they begin again."""
    for one in plane.controls:
        one.program.kill()
    yield Round(met=int(plane.leader() is None))
    for one in plane.controls:
        one.program.begin()


NOTHING: Final = "Nothing."
PLANES: Final[Mapping[str, Fault]] = {
    "leader-killed": Fault(
        "leader killed (`kill -9`)",
        "Users: nothing. Decisions wait until the standby leads, at most a lease of 6 s and a second.",
        leader_killed,
    ),
    "leader-paused": Fault(
        "leader paused (`SIGSTOP`) until another one leads, and woken",
        "The same; who wakes is refused whatever it would still write, and stands by.",
        leader_paused,
    ),
    "standby-killed": Fault("standby killed (`kill -9`)", NOTHING, standby_killed),
    "database-killed": Fault(
        "database killed (`kill -9`), and started again",
        "Users: nothing. Whoever asks is told to ask again; decisions wait for the database.",
        database_killed,
    ),
    "leader-and-database-killed": Fault(
        "leader and database killed together",
        "Users: nothing. Decisions wait for the database, and for the standby to lead.",
        both_killed,
    ),
    "plane-away": Fault(
        "both control planes killed, and away for two minutes",
        "Users: nothing. What is served stays, nodes acknowledge outcomes and keep records.",
        all_killed,
        dwell_s=(AWAY_S, AWAY_S),
        every=AWAY_EVERY,
    ),
}
HOUSES: Final[Mapping[str, Fault]] = {
    "house-killed": Fault(
        "`rollout up` with SQLite killed (`kill -9`) in the middle of decisions",
        "Users of other nodes: nothing. Decisions wait until it is started again.",
        all_killed,
        is_of_house=True,
    ),
}
FAULTS: Final[Mapping[str, Fault]] = {**PLANES, **HOUSES}
