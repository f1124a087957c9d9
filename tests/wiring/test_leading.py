"""A leader's parts are open exactly while it leads, whatever fails on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from starlette.types import ASGIApp

from rollout.api.app import create_app
from rollout.errors import Problem, Retry
from rollout.store.database import Database
from rollout.wiring.front import Front
from rollout.wiring.leading import Leading, Mandate, Pace
from tests.envoy.examples import until

AWAY = Retry(Problem("the control database", "it is away", "it is asked again"))
HURRIED = Pace(0.01, 0.01)


@dataclass
class Election:
    """Elects whoever stands while nobody leads; what it says may be changed at any time."""

    story: list[str] = field(default_factory=list)
    term: int = 0
    is_free: bool = True
    is_away: bool = False
    renewals: int = 0

    def stand(self) -> Mandate | None:
        if self.is_away:
            raise AWAY
        if not self.is_free:
            return None
        self.is_free = False
        self.term += 1
        self.story.append(f"elected {self.term}")
        return Held(self, self.term)

    def leader(self) -> str | None:
        return None


@dataclass
class Held:
    election: Election
    term: int
    wins: bool = True

    @property
    def database(self) -> Database:
        raise AssertionError("these parts write nothing")

    def holds(self) -> bool:
        return self.term == self.election.term

    def renew(self) -> bool:
        self.election.renewals += 1
        if self.election.is_away:
            raise AWAY
        return self.holds()

    def give_up(self) -> None:
        self.election.story.append(f"gave up {self.term}")


class Scene:
    def __init__(self, opening: Callable[[], None] = lambda: None) -> None:
        self.election, self.front = Election(), Front("http://a", lambda: None)
        self.opening = opening
        self.leading = Leading(self.election, self.parts, self.front, pace=HURRIED)

    @property
    def story(self) -> list[str]:
        return self.election.story

    @contextmanager
    def parts(self, mandate: Mandate) -> Iterator[ASGIApp]:
        self.opening()
        self.story.append(f"open {mandate.term}")
        try:
            yield create_app([])
        finally:
            assert not self.front.leads()
            self.story.append(f"closed {mandate.term}")

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.leading.run)
        thread.start()
        try:
            yield
        finally:
            self.leading.stop()
            thread.join()


def test_who_is_elected_opens_and_closes_before_it_gives_up() -> None:
    scene = Scene()
    assert scene.leading.begin()
    assert scene.front.leads()
    with scene.running():
        assert until(lambda: scene.election.renewals > 2)
    assert scene.story == ["elected 1", "open 1", "closed 1", "gave up 1"]


def test_a_standby_leads_as_soon_as_nobody_does() -> None:
    scene = Scene()
    scene.election.is_free = False
    assert not scene.leading.begin()
    with scene.running():
        assert scene.story == []
        scene.election.is_free = True
        assert until(scene.front.leads)


def test_who_is_overtaken_closes_and_may_lead_again_from_the_beginning() -> None:
    scene = Scene()
    scene.leading.begin()
    with scene.running():
        scene.election.term += 1  # somebody else was elected meanwhile
        assert until(lambda: "gave up 1" in scene.story)
        assert not scene.front.leads()
        scene.election.is_free = True
        assert until(scene.front.leads)
    assert scene.story == [
        *("elected 1", "open 1", "closed 1", "gave up 1"),
        *("elected 3", "open 3", "closed 3", "gave up 3"),
    ]


def test_while_the_database_is_away_a_leader_keeps_its_parts_and_a_standby_goes_on_asking() -> None:
    scene = Scene()
    scene.election.is_free = False
    with scene.running():
        scene.election.is_away = True
        scene.election.is_away, scene.election.is_free = False, True
        assert until(scene.front.leads)
        scene.election.is_away = True
        before = scene.election.renewals
        assert until(lambda: scene.election.renewals > before + 2)
        assert scene.story == ["elected 1", "open 1"]


def test_what_cannot_be_opened_is_raised_at_first_and_leaves_the_lead_to_others() -> None:
    def fail() -> None:
        raise AWAY

    scene = Scene(fail)
    with pytest.raises(Retry):
        scene.leading.begin()
    assert scene.story == ["elected 1", "gave up 1"]
    scene.election.is_free = True
    with scene.running():
        assert until(lambda: "gave up 2" in scene.story)
        scene.opening = lambda: None
        scene.election.is_free = True
        assert until(scene.front.leads)


def test_a_lead_is_held_while_its_parts_take_their_time_to_open() -> None:
    scene = Scene()
    scene.opening = lambda: _until_renewed(scene.election)
    assert scene.leading.begin()
    scene.leading.stop()
    scene.leading.run()
    assert scene.story[-1] == "gave up 1"


def _until_renewed(election: Election) -> None:
    assert until(lambda: election.renewals > 1)
