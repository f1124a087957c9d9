"""Every published policy that can promote, in worlds in which it must not: how often it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from rollout.controller.zones import may_move_up
from rollout.domain.decision import Reason
from rollout.domain.metric import Role, Source
from rollout.domain.policy import Policy
from rollout.simulation.ending import Ending, Outcome
from rollout.simulation.lives import Course
from rollout.simulation.scenario import Scenario
from rollout.simulation.schedule import horizon_s, look_times, usual_interval_s
from rollout.simulation.sentences import effect
from rollout.simulation.simulate import simulate

SEED = 2026
LOOKS = 150
"""About so many looks at a life, evenly, and more at first; looking more often changes the rates little."""
_BY_HARM = frozenset({Reason.METRIC_HARMED, Reason.LIMIT_VIOLATED})


class Question(Enum):
    """Which mistake a world is there to count."""

    PROMOTED = "wrong promotion"
    ROLLED_BACK = "wrong rollback"


@dataclass(frozen=True, slots=True)
class Null:
    """A world in which a policy must not promote, or not roll back, and why."""

    name: str
    scenario: Scenario
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """How often a policy, and the naive rule beside it, made a mistake."""

    policy: str
    world: str
    question: Question
    ours: int
    naive: int
    replicates: int
    looks: int
    risk: float

    @property
    def bar(self) -> float:
        """What the policy promises, and three Monte-Carlo standard errors."""
        return self.risk + 3.0 * float(np.sqrt(self.risk * (1.0 - self.risk) / self.replicates))

    @property
    def is_held(self) -> bool:
        """Whether ours keeps the promise."""
        return self.ours <= self.bar * self.replicates


def nulls(policy: Policy) -> Iterator[Null]:
    """Yield the worlds in which a policy must not promote, and the one in which it must not roll back."""
    goals = [metric for metric in policy.metrics if metric.role is Role.PRIMARY]
    asks_for_better = all(goal.margin is None for goal in goals)
    both = (Question.PROMOTED, Question.ROLLED_BACK) if asks_for_better else (Question.ROLLED_BACK,)
    yield Null("A/A", Scenario(), both)
    if not asks_for_better:
        at_margin = (effect("primary=-1x"),)
        yield Null("the goal exactly at its margin", Scenario(effects=at_margin), (Question.PROMOTED,))
    for metric in policy.metrics:
        if metric.role is Role.GUARDRAIL and metric.source is Source.OUTCOMES and metric.margin:
            effects = (effect("primary=+2x"), effect(f"{metric.name}=-1x"))
            name = f"a good goal, {metric.name} exactly at its margin"
            yield Null(name, Scenario(effects=effects), (Question.PROMOTED,))


def findings(
    policy: Policy, null: Null, *, replicates: int, looks: int = LOOKS, processes: int = 1
) -> list[Finding]:
    """Live through one world, and count the mistakes that it is there for."""
    every_s = max(usual_interval_s(policy), round(horizon_s(policy) / looks))
    course = Course(policy, null.scenario, every_s, may_move_up)
    lived = simulate(
        course, replicates=replicates, seed=SEED, processes=processes, on_progress=lambda _: None
    )
    times = len(look_times(policy, null.scenario, every_s))
    return [
        Finding(
            policy=policy.name,
            world=null.name,
            question=question,
            ours=sum(map(_OURS[question], lived.endings)),
            naive=sum(map(_NAIVE[question], lived.endings)),
            replicates=replicates,
            looks=times,
            risk=_risk(policy, question),
        )
        for question in null.questions
    ]


def _risk(policy: Policy, question: Question) -> float:
    return policy.risk.wrong_promotion if question is Question.PROMOTED else policy.risk.wrong_rollback


def _naive_did(ending: Ending, outcome: Outcome) -> bool:
    return ending.naive is not None and ending.naive.outcome is outcome


_OURS: dict[Question, Callable[[Ending], bool]] = {
    Question.PROMOTED: lambda ending: ending.outcome is Outcome.PROMOTED,
    # A policy that rolls back what is inconclusive does so by its own choice, not by mistake.
    Question.ROLLED_BACK: lambda ending: ending.reason in _BY_HARM,
}
_NAIVE: dict[Question, Callable[[Ending], bool]] = {
    Question.PROMOTED: lambda ending: _naive_did(ending, Outcome.PROMOTED),
    Question.ROLLED_BACK: lambda ending: _naive_did(ending, Outcome.ROLLED_BACK),
}
