"""What a node tells of versions: one reading now and then, whatever is asked in between."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.agent.degradation import READ_EVERY_S, Watched
from rollout.client.nodes import DegradationState
from rollout.envoy.degradation import Arm, Cause, Fared

ARM: Arm = ("churn", 3, "candidate1")


def test_envoy_is_read_now_and_then_and_its_silence_changes_nothing() -> None:
    now_s, readings = [0.0], list[Mapping[Arm, Fared] | None]()
    slow = {ARM: Fared({Cause.SLOW: 4}, 1, 2, 1, ("requests",)), ("well", 1, "control"): Fared({}, 0, 1, 1)}
    readings += [slow, None, {ARM: Fared(hosts=2, healthy_hosts=2)}]
    watched = Watched(lambda: readings.pop(0), steady_s=lambda: now_s[0])
    told = (
        DegradationState(
            experiment="churn",
            revision=3,
            arm="candidate1",
            fallbacks={"try-timeout": 4},
            ejections=1,
            hosts=2,
            healthy_hosts=1,
            open_breakers=("requests",),
        ),
    )
    for after_s in (0.0, READ_EVERY_S - 0.1, READ_EVERY_S, 2 * READ_EVERY_S - 0.1):
        now_s[0] = after_s
        assert watched.states() == told
    now_s[0] = 2 * READ_EVERY_S
    assert watched.states() == ()
    assert readings == []
