"""What the simulated experiments are about: how people behave, what the candidate changes, what is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from rollout.domain.metric import Metric
from rollout.domain.policy import Expect, Hold, Level, Policy, Resilience, Step
from tests.domain.examples import POLICY

SECOND_US: Final = 1_000_000
WINDOW_S: Final = 60.0
FIRST_UNITS: Final = 10
"""What the first step waits for: time between looks as far apart as ours is no time that was watched."""
LIMIT_US: Final = 250_000
ERRORS, LATENCY = "errors", "latency"


@dataclass(frozen=True, slots=True)
class Effect:
    """What the candidate changes, added to the chance of the baseline."""

    converts: float = 0.0
    fails: float = 0.0


@dataclass(frozen=True, slots=True)
class Family:
    """Experiments that are alike: chances are means over people, who differ from each other."""

    name: str
    experiments: int
    floor: float
    quantile: float
    fails: float
    is_slow: float
    converts: float = 0.3
    effect: Effect = Effect()
    falls_back: bool = False


QUIET: Final = Family("quiet", 100, floor=0.20, quantile=0.80, fails=0.002, is_slow=0.005)
"""A/A: all but the goal is soon proven, so the goal alone stands between chance and a promotion."""
NOISY: Final = Family("noisy", 100, floor=0.01, quantile=0.75, fails=0.20, is_slow=0.04)
"""A/A: errors are far above the floor, and 23 % of the answers exceed a limit that allows 25 %."""
BETTER: Final = replace(QUIET, name="better", experiments=12, effect=Effect(converts=0.3), falls_back=True)
FAILING: Final = replace(
    NOISY, name="failing", experiments=12, quantile=0.30, effect=Effect(fails=0.4), falls_back=True
)


def policy_of(family: Family, number: int) -> Policy:
    """Return the policy of one experiment, with a route, a salt and a goal of its own."""
    name = f"{family.name}-{number:03d}"
    return replace(
        POLICY,
        name=name,
        path=f"/{name}",
        salt=name,
        metrics=tuple(_metric(family, name, metric) for metric in POLICY.metrics),
        steps=(Step(2_000, Hold(min_units=FIRST_UNITS)), Step(5_000, Hold(until_verdict=True))),
        resilience=Resilience(falls_back=family.falls_back, max_fallback=0.20),
        expect=Expect(levels={goal_of(name): Level(family.converts)}),
    )


def goal_of(name: str) -> str:
    """Return what the outcomes of an experiment are called."""
    return f"converted-{name}"


def _metric(family: Family, name: str, metric: Metric) -> Metric:
    """Return a metric of the example policy, changed so that some hundred people can prove it."""
    changed = replace(metric, window_s=WINDOW_S)
    match metric.name:
        case "converted":
            return replace(changed, name=goal_of(name), min_effect=0.5)
        case "errors":
            return replace(changed, name=ERRORS, floor=family.floor)
        case _:
            return replace(changed, name=LATENCY, quantile=family.quantile, max_us=LIMIT_US)
