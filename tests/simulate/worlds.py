"""Policies and scenarios of the repository, lived through a few times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from rollout.cli.policy_files import policy_in
from rollout.cli.scenario_files import scenario_in
from rollout.controller.zones import may_move_up
from rollout.domain.policy import Policy
from rollout.simulation.ending import Ending, Outcome
from rollout.simulation.lives import Course, Lives
from rollout.simulation.scenario import Scenario
from rollout.simulation.sentences import effect, fault
from tests.command import ROOT

HOUR_S = 3_600.0
POLICIES = sorted((ROOT / "policies").glob("*.yaml"))
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))


@cache
def policy(name: str) -> Policy:
    return policy_in(str(ROOT / "policies" / f"{name}.yaml"))


def scenario(name: str, of: Policy) -> Scenario:
    return scenario_in(str(ROOT / "scenarios" / f"{name}.yaml"), of)


def world(*sentences: str) -> Scenario:
    """Return a scenario of sentences; what has no equals sign is a fault."""
    return Scenario(
        effects=tuple(effect(one) for one in sentences if "=" in one),
        faults=tuple(fault(one) for one in sentences if "=" not in one),
    )


def lived(course: Course, replicates: int = 20, seed: int = 1) -> list[Ending]:
    lives = Lives(course, np.random.default_rng(seed), replicates)
    return lives.run(lambda _look, _looks: None)


def course(of: Policy, where: Scenario, every_s: float = HOUR_S, *, skips: bool = True) -> Course:
    return Course(of, where, every_s, may_move_up, skips_quiet_looks=skips)


def ends(endings: Sequence[Ending]) -> Counter[Outcome]:
    return Counter(one.outcome for one in endings)
