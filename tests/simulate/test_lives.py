"""Lives of the published policies: they end as the scenario's name says, for the reason it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.decision import Reason
from rollout.domain.policy import Policy
from rollout.simulation.ending import Outcome
from rollout.simulation.scenario import Scenario
from rollout.simulation.simulate import BLOCK, simulate
from tests.simulate.worlds import HOUR_S, POLICIES, SCENARIOS, course, ends, lived, policy, scenario, world

CHURN = "churn"
NAMES = [file.stem for file in POLICIES]
FAULTY = ("broken-split", "silent-outcomes")
HARMFUL = ("disaster", "late-harm", "seasonal-trap", "slow-leak", "subtly-bad")
SMALL = 20
FAULTS = (
    "outcomes silent at 2h",
    "lose 30% of candidate",
    "clock -3h at 5h for 1h",
    "clock +2h at 1d for 1h",
)


def promoting() -> list[str]:
    return [name for name in NAMES if policy(name).steps]


def often(name: str) -> float:
    """Return how often is looked: the first policy is over within the hour."""
    return 600.0 if name == "first" else 6 * HOUR_S


def test_every_scenario_is_told_apart() -> None:
    names = [scenario(file.stem, policy(CHURN)).name for file in SCENARIOS]
    assert names == [file.stem for file in SCENARIOS]
    assert {*FAULTY, *HARMFUL} < set(names)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "outcome", "reason", "metric"),
    [
        ("good", Outcome.PROMOTED, Reason.GOAL_PROVEN, None),
        ("shared-outage", Outcome.PROMOTED, Reason.GOAL_PROVEN, None),
        ("subtly-bad", Outcome.ROLLED_BACK, Reason.METRIC_HARMED, "converted"),
        ("seasonal-trap", Outcome.ROLLED_BACK, Reason.METRIC_HARMED, "converted"),
        ("disaster", Outcome.ROLLED_BACK, Reason.METRIC_HARMED, "errors"),
        ("late-harm", Outcome.ROLLED_BACK, Reason.METRIC_HARMED, "errors"),
        ("broken-split", Outcome.PAUSED, Reason.MISMATCH_PAUSES, None),
        ("silent-outcomes", Outcome.PAUSED, Reason.NO_DATA_PAUSES, None),
    ],
)
def test_a_scenario_ends_as_its_name_says(
    name: str, outcome: Outcome, reason: Reason, metric: str | None
) -> None:
    churn = policy(CHURN)
    endings = lived(course(churn, scenario(name, churn)), SMALL)
    said = [(one.outcome, one.reason, one.decision.metric) for one in endings]
    assert said == [(outcome, reason, metric)] * SMALL


def test_nothing_new_ends_with_a_person() -> None:
    churn = policy(CHURN)
    endings = lived(course(churn, scenario("aa", churn), 6 * HOUR_S), 40)
    found = ends(endings)
    assert found[Outcome.PAUSED] >= 36  # a wrong promotion in 20 is what the policy risks
    assert not found[Outcome.ROLLED_BACK]
    assert all(one.exposed == 0 for one in endings)


def test_a_leak_is_found_before_it_is_a_flood() -> None:
    churn = policy(CHURN)
    endings = lived(course(churn, scenario("slow-leak", churn)), SMALL)
    assert ends(endings)[Outcome.ROLLED_BACK] == SMALL
    # Two days until it is full: whoever waits for the last step is too late.
    assert all(one.at_s < 12 * HOUR_S for one in endings)


@pytest.mark.slow
def test_the_naive_pot_promotes_what_is_worse_every_day() -> None:
    churn = policy(CHURN)
    endings = lived(course(churn, scenario("seasonal-trap", churn)), 60)
    naive = [one.naive for one in endings if one.naive is not None]
    promoted = [one for one in naive if one.outcome is Outcome.PROMOTED]
    assert len(promoted) > 30
    assert all(one.was_harmful for one in promoted)
    # Five in a hundred is what the policy risks; the pot is wrong in most.
    assert ends(endings)[Outcome.PROMOTED] <= 3


@pytest.mark.parametrize("name", promoting())
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_never_promotes(name: str, fault: str) -> None:
    found = policy(name)
    # The first policy lives for an hour, so its faults come a thousand times as soon.
    said = fault if name != "first" else fault.replace("h", "s").replace("1d", "9s")
    endings = lived(course(found, world("primary=+2x", said), often(name)), 3)
    if "clock" in fault:
        # The clock is set right again: what was proven before and after it may still promote, in its time.
        least_s = sum(step.hold.for_s for step in found.steps)
        assert all(one.at_s >= least_s for one in endings if one.outcome is Outcome.PROMOTED)
        return
    assert not ends(endings)[Outcome.PROMOTED]


@pytest.mark.parametrize("name", HARMFUL)
@pytest.mark.parametrize("of", promoting())
def test_harm_is_never_promoted(name: str, of: str) -> None:
    found = policy(of)
    where = scenario(name, found)
    endings = lived(course(found, where, often(of)), 5)
    assert not any(one.was_harmful for one in endings)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("said", [(), ("errors=5% at step 2",), ("outcomes silent at 30m for 20m",)])
def test_quiet_looks_may_be_skipped(name: str, said: tuple[str, ...]) -> None:
    found = policy(name)
    where = world("primary=+1x", *said) if found.steps else world(*said)
    skipping, deciding = (
        lived(course(found, where, often(name), skips=skips), 4, seed=7) for skips in (True, False)
    )
    assert [undecided(one) for one in skipping] == [undecided(one) for one in deciding]


def undecided(ending: object) -> object:
    """Return an end without the last decision of a life that has not ended: it was to hold."""
    is_running = getattr(ending, "outcome", None) is Outcome.RUNNING
    return replace(ending, decision=None) if is_running else ending  # type: ignore[type-var]


def test_the_same_seed_gives_the_same_lives_however_many_processes() -> None:
    churn = policy(CHURN)
    here = course(churn, world("primary=+3x"), 12 * HOUR_S)
    one, two = (
        simulate(here, replicates=BLOCK + 3, seed=5, processes=processes, on_progress=lambda _: None)
        for processes in (1, 2)
    )
    assert one.endings == two.endings
    assert one.moments == two.moments
    other = simulate(here, replicates=BLOCK + 3, seed=6, processes=1, on_progress=lambda _: None)
    assert other.endings != one.endings


def test_progress_only_grows_and_reaches_the_end() -> None:
    told: list[float] = []
    here = course(policy(CHURN), world("errors=20%"), 12 * HOUR_S)
    simulate(here, replicates=2 * BLOCK, seed=1, processes=1, on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_one_candidate_may_stop_while_the_others_go_on() -> None:
    champion = policy("champion")
    where = world("errors=20% for candidate 2", "added=+8% for candidate 1")
    endings = lived(course(champion, where, 4 * HOUR_S), 5)
    assert ends(endings)[Outcome.PROMOTED] == 5
    assert {one.decision.arm for one in endings} == {1}
    # They met the second candidate, and it was stopped before they were many.
    assert all(0 < one.exposed < one.tried / 10 for one in endings)


def test_copies_prove_nothing() -> None:
    shadow = policy("shadow")
    assert ends(lived(course(shadow, Scenario(), 2 * HOUR_S), 5)) == {Outcome.STOPPED: 5}
    failing = lived(course(shadow, world("errors=60%"), 2 * HOUR_S), 5)
    assert {one.reason for one in failing} == {Reason.MIRROR_ROLLS_BACK}
    assert all(one.naive is None for one in failing)


def test_approval_and_hours_are_waited_for() -> None:
    pricing: Policy = policy("pricing")
    weekend = replace(world("primary=+2.5x"), weekday=4, minute=20 * 60)  # Friday evening
    endings = lived(course(pricing, weekend, 2 * HOUR_S), 3)
    assert ends(endings)[Outcome.PROMOTED] == 3
    for one in endings:
        minutes = weekend.minute + one.at_s / 60
        assert (weekend.weekday + minutes // 1440) % 7 <= 3
        assert 9 * 60 <= minutes % 1440 < 16 * 60


def test_a_metrics_server_that_is_silent_holds() -> None:
    pricing = policy("pricing")
    where = world("primary=+2.5x", "metrics silent at 3d")
    endings = lived(course(pricing, where, 2 * HOUR_S), 3)
    assert {(one.outcome, one.reason) for one in endings} == {
        (Outcome.ROLLED_BACK, Reason.NO_DATA_ROLLS_BACK)
    }
    breaching = lived(course(pricing, world("stock-service=100% at 1d"), 2 * HOUR_S), 3)
    assert {(one.reason, one.decision.metric) for one in breaching} == {
        (Reason.LIMIT_VIOLATED, "stock-service")
    }
