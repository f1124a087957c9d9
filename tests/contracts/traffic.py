"""What everything keeps to that splits are published to, real and fake alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.assignment import Placement, Split
from rollout.ports import Traffic
from tests.domain.examples import POLICY
from tests.envoy.examples import until

FIRST = Placement(POLICY, 1, Split(1))
SECOND = Placement(replace(POLICY, name="second", path="/second", salt="second"), 1, Split(2))


class TrafficContract:
    """Subclasses give a new data plane to each test."""

    @pytest.fixture
    def traffic(self) -> Traffic:
        raise NotImplementedError

    def test_what_is_wanted_becomes_live_and_stays(self, traffic: Traffic) -> None:
        assert until(lambda: traffic.publish((FIRST, SECOND)).is_live)
        published = traffic.publish((FIRST, SECOND))
        assert published.refusal is None
        assert published.confirms(POLICY.name)

    def test_every_change_is_confirmed_anew(self, traffic: Traffic) -> None:
        for steps_on in (1, 2, 0):
            moved = replace(FIRST, split=Split(steps_on))
            assert until(lambda moved=moved: traffic.publish((moved, SECOND)).is_live)  # type: ignore[misc]

    def test_nothing_can_be_wanted_too(self, traffic: Traffic) -> None:
        assert until(lambda: traffic.publish((FIRST,)).is_live)
        assert until(lambda: traffic.publish(()).is_live)
