"""How versions fare: what grew in the last minute, over all nodes, whatever begins anew or is silent."""

from __future__ import annotations

from rollout.client.nodes import DegradationState
from rollout.fleet.degradation import Degradations, Degraded


def state(
    arm: str = "candidate1", *, healthy: int = 1, ejections: int = 0, revision: int = 1, **failures: int
) -> DegradationState:
    return DegradationState(
        experiment="churn",
        revision=revision,
        arm=arm,
        fallbacks={cause.replace("_", "-"): count for cause, count in failures.items()},
        ejections=ejections,
        hosts=1,
        healthy_hosts=healthy,
    )


def test_what_failed_in_the_last_minute_is_told_and_older_failures_are_not() -> None:
    fleet = Degradations()
    for at_s, slow in ((0.0, 5), (30.0, 15), (58.0, 40)):
        fleet.heard("a", [state(try_timeout=slow)], at_s)
    assert fleet.of("churn", 1, 58.0)[0].failures == {"try-timeout": 35}
    fleet.heard("a", [state(try_timeout=40)], 89.0)
    fleet.heard("a", [state(try_timeout=40)], 91.0)
    assert fleet.of("churn", 1, 91.0)[0].failures == {"try-timeout": 25}
    for at_s in (110.0, 130.0, 150.0):
        fleet.heard("a", [state(try_timeout=40)], at_s)
    assert fleet.of("churn", 1, 150.0) == ()


def test_all_nodes_are_added_up_and_each_arm_and_revision_is_for_itself() -> None:
    fleet = Degradations()
    for node in ("b", "a"):
        fleet.heard(node, [], 0.0)
        arms = [state(try_timeout=30, connect_failure=40), state("control", ejections=2, healthy=0)]
        fleet.heard(node, [*arms, state(revision=2, reset=9)], 5.0)
    control, candidate = fleet.of("churn", 1, 5.0)
    assert control == Degraded("control", {}, 4, 2, 0, (), ("a", "b"))
    assert candidate == Degraded(
        "candidate1", {"connect-failure": 80, "try-timeout": 60}, 0, 2, 2, (), ("a", "b")
    )
    assert [one.failures for one in fleet.of("churn", 2, 5.0)] == [{"reset": 18}]
    assert fleet.of("other", 1, 5.0) == ()


def test_a_node_that_begins_anew_counts_on_and_one_that_is_silent_or_gone_is_left_out() -> None:
    fleet = Degradations()
    fleet.heard("a", [state(reset=100)], 0.0)
    fleet.heard("a", [state(reset=3)], 10.0)
    assert fleet.of("churn", 1, 10.0)[0].failures == {"reset": 3}
    assert fleet.of("churn", 1, 71.0) == ()
    fleet.heard("b", [state(healthy=0)], 71.0)
    assert fleet.of("churn", 1, 71.0)[0].nodes == ("b",)
    fleet.forget("b")
    assert fleet.of("churn", 1, 71.0) == ()


def test_a_node_that_tells_all_the_time_takes_no_more_room() -> None:
    fleet = Degradations()
    for number in range(10_000):
        fleet.heard("a", [state(reset=number)], number / 100.0)
    (found,) = fleet.of("churn", 1, 99.99)
    assert 5_900 <= found.failures["reset"] <= 6_100
    assert fleet.kept <= 63
