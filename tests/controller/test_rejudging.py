"""Whoever remembers the last look judges the next one as who knows nothing of it, to the last bit."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import pytest

from rollout.controller import rejudging
from rollout.controller.rejudging import Rejudging
from rollout.domain.evidence import ArmEvidence, ErrorEvidence, Evidence, LatencyEvidence, LimitEvidence
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge
from rollout.domain.memory import Memory
from rollout.domain.policy import Hold, MirrorStep
from rollout.domain.quality import Gap, Loss, Quality, Reports, Told
from tests.domain.batches import EVERYTHING, Draws, drawn_runs, only
from tests.domain.scenes import HOUR_US, NOW_US, SECOND_US

PATIENCE: Final = Patience()
LOOKS: Final = 40
REPLICATES: Final = 5
"""No other axis is as long, so that a replicate can be cut out of any array."""
POLICIES: Final = (EVERYTHING, replace(EVERYTHING, mirror_steps=(MirrorStep(1_000, Hold()),)))


def mixed(old: Any, new: Any, chance: np.random.Generator) -> Any:  # noqa: ANN401 (any part of a look)
    """Return evidence of which most parts are the very objects that they were."""
    if chance.random() < 0.5:
        return old
    if isinstance(old, ArmEvidence | ErrorEvidence) and isinstance(new, type(old)):
        names = [field.name for field in fields(old)]
        return replace(old, **{one: mixed(getattr(old, one), getattr(new, one), chance) for one in names})
    if isinstance(old, LimitEvidence) and chance.random() < 0.5:
        return replace(old, fractions=new.fractions)
    if isinstance(old, LatencyEvidence) and chance.random() < 0.5:
        return replace(old, ratio=new.ratio)
    if isinstance(old, dict):
        return {name: mixed(part, new[name], chance) for name, part in old.items()}
    return new


@dataclass
class Life:
    """One run's looks, each like the one before but for what has come."""

    chance: np.random.Generator
    draws: Draws
    mirrors: bool = False

    def look(self, policy_evidence: Evidence | None) -> Evidence:
        """Return a next look; often nothing has come at all."""
        chance = self.chance
        drawn: Evidence = only(self.draws.look(EVERYTHING), 0, replicates=REPLICATES)
        if not self.mirrors:
            drawn = replace(drawn, arms=tuple(replace(arm, mirrored=None) for arm in drawn.arms))
        if policy_evidence is None:
            return replace(drawn, quality=self.quality())
        if chance.random() < 0.5:
            return policy_evidence
        arms = tuple(
            mixed(one, other, chance) for one, other in zip(policy_evidence.arms, drawn.arms, strict=True)
        )
        quality = self.quality() if chance.random() < 0.3 else policy_evidence.quality
        enrolled = drawn.enrolled if chance.random() < 0.2 else policy_evidence.enrolled
        return replace(policy_evidence, arms=arms, quality=quality, enrolled=enrolled)

    def quality(self) -> Quality:
        """Return what may be known of records, seldom anything bad."""
        chance = self.chance
        units = np.full(6, 500)
        telling = (units * (0.9 if chance.random() < 0.7 else 0.2)).astype(np.int64)
        return Quality(
            gaps=(Gap("exposures", "node", "log", 0, 9),) if chance.random() < 0.1 else (),
            losses=(Loss("exposures", "node", 3, NOW_US),) if chance.random() < 0.1 else (),
            units=3_000,
            two_armed=int(chance.choice([0, 0, 400])),
            ahead=0,
            told={"converted": Told(1_000, conflicting=int(chance.choice([0, 300])))},
            reports={"converted": Reports(NOW_US - HOUR_US, units, np.append(units[:3], telling[3:]))},
            unmeasured={"gpu": "its server is away"} if chance.random() < 0.3 else {},
        )

    def run(self, before: Experiment | None, policy_number: int) -> Experiment:
        """Return where the run stands at the next look: mostly where it stood."""
        if before is not None and self.chance.random() < 0.7:
            return before
        return drawn_runs(self.draws, POLICIES[policy_number])[0]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_remembered_changes_no_judgement(seed: int) -> None:
    mirrors = seed % 3 == 0
    life = Life(np.random.default_rng(seed), Draws(np.random.default_rng(seed), REPLICATES), mirrors)
    judging, run, evidence, now_us = Rejudging(), None, None, NOW_US
    again = 0
    last = None
    for number in range(LOOKS):
        run = life.run(run, number % 20 // 10)
        evidence = life.look(evidence)
        now_us += int(life.chance.choice([1, 1, 1, 70])) * SECOND_US
        mark = now_us - int(life.chance.choice([1, 1, 1, 90])) * SECOND_US
        evidence = replace(evidence, watermark_us=mark, fast_watermark_us=mark, lag_us=0)
        found = judging(run, evidence, now_us, PATIENCE)
        assert found == judge(run, evidence, now_us, PATIENCE)
        again += found is last
        last = found
    assert again < LOOKS / 2
    assert (again > 0) is not mirrors


def test_a_run_that_is_remembered_no_more_is_judged_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejudging, "LARGEST", 2)
    life = Life(np.random.default_rng(1), Draws(np.random.default_rng(1), REPLICATES))
    judging, evidence = Rejudging(), life.look(None)
    runs = [replace(drawn_runs(life.draws, EVERYTHING)[0], uid=f"{number:08d}") for number in range(4)]
    for run in runs + runs[::-1]:
        assert judging(run, evidence, NOW_US, PATIENCE) == judge(run, evidence, NOW_US, PATIENCE)


def test_a_memory_knows_objects_and_not_values() -> None:
    memory, one = Memory(), np.arange(3)
    first = memory.result("sum", np.copy, one)
    assert memory.result("sum", np.copy, one) is first
    assert memory.result("sum", np.copy, one.copy()) is not first


def test_a_memory_knows_whole_numbers_by_what_they_are() -> None:
    memory, large = Memory(), 10**9
    first = memory.result("list", lambda number: [number], large)
    assert memory.result("list", lambda number: [number], 10**9 + large - 10**9) is first
    assert memory.result("list", lambda number: [number], large + 1) == [large + 1]
    one = memory.result("list", lambda number: [number], 1)
    assert memory.result("list", lambda number: [number], True) is not one  # noqa: FBT003 (a truth is no number)
    assert memory.result("list", lambda number: [number], 1.0) is not one


def test_a_memory_gives_an_array_back_only_while_no_bit_differs() -> None:
    memory, zero = Memory(), np.zeros(2)
    assert memory.same("harm", zero) is zero
    assert memory.same("harm", np.zeros(2)) is zero
    assert memory.same("harm", -np.zeros(2)) is not zero
