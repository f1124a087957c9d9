"""What every notifier keeps to, the real one and the fake alike."""

from __future__ import annotations

from typing import Protocol

import pytest

from rollout.domain.decision import Reason
from rollout.ports import Notifier
from tests.notify.stories import letter, news

LETTER = letter(news(Reason.METRIC_HARMED))
BURST = letter(*[news(Reason.STEP_PASSED)] * 30, news(Reason.METRIC_HARMED))
SECRET = "s3cr3t-in-the-address"  # noqa: S105 (of tests)


class Scene(Protocol):
    """A notifier with two receivers: `good` takes everything, `bad` refuses it."""

    @property
    def notifier(self) -> Notifier:
        """The one that is tested."""

    def arrived(self) -> list[str]:
        """Return the ids of the letters that `good` got, in order."""


class NotifierContract:
    """Subclasses give a scene to each test."""

    @pytest.fixture
    def scene(self) -> Scene:
        raise NotImplementedError

    def test_it_names_who_can_be_told(self, scene: Scene) -> None:
        assert scene.notifier.names() == {"good", "bad"}

    def test_what_is_sent_arrives_once_with_its_id(self, scene: Scene) -> None:
        delivered = scene.notifier.send("good", LETTER)
        assert delivered.is_taken
        assert scene.arrived() == [LETTER.id]

    def test_sent_again_it_has_the_same_id(self, scene: Scene) -> None:
        for _ in range(2):
            scene.notifier.send("good", BURST)
        assert scene.arrived() == [BURST.id, BURST.id]

    def test_a_refusal_is_said_and_not_raised(self, scene: Scene) -> None:
        delivered = scene.notifier.send("bad", LETTER)
        assert not delivered.is_taken
        assert delivered.why
        assert scene.arrived() == []

    def test_a_refusal_repeats_no_secret(self, scene: Scene) -> None:
        assert SECRET not in str(scene.notifier.send("bad", LETTER))

    def test_who_is_unknown_is_named(self, scene: Scene) -> None:
        delivered = scene.notifier.send("nobody", LETTER)
        assert not delivered.is_taken
        assert "nobody" in str(delivered.why)
