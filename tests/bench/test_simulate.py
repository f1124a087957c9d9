"""The simulation's benchmark measures what it says: whole fortnights, and less work together than alone."""

from __future__ import annotations

from bench.simulate import EVERY_S, Measured, lines, policy
from rollout.simulation.scenario import Scenario
from rollout.simulation.schedule import look_times

DAY_S = 86_400.0


def test_the_policy_has_four_steps_and_gives_up_after_a_fortnight() -> None:
    steps = policy().steps
    assert len(steps) == 4
    assert sum(step.hold.at_most_s or step.hold.for_s for step in steps) == 14 * DAY_S
    assert len(look_times(policy(), Scenario(), EVERY_S)) > 14 * 96


def test_ratios_are_of_processor_time() -> None:
    found = Measured(replicates=1_000, wall_s=60.0, processor_s=100.0, alone_s=5.0, lived=1_400_000)
    assert found.ratio == 50.0
    text = "\n".join(lines(found))
    assert "1,000 lives of 14 days" in text
    assert "71 µs" in text
