"""Many lives of one policy, look by look: the control plane's judge, decide and evolve on drawn evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.random import Generator

from rollout.domain.decide import decide
from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import judge_many
from rollout.domain.policy import WHOLE_BP, MirrorStep, Opening, Policy
from rollout.domain.proof import is_complete
from rollout.domain.verdict import Judgement
from rollout.domain.wish import Asked, Wish
from rollout.simulation.ending import ENDS, Ending, Moment, NaiveEnding, Outcome
from rollout.simulation.goal import goal_of
from rollout.simulation.levels import Span
from rollout.simulation.naive import Naive, lift, named
from rollout.simulation.quiet import is_quiet, wakes_us
from rollout.simulation.scenario import Scenario
from rollout.simulation.schedule import look_times
from rollout.simulation.world import PATIENCE, Stand, World, start_us
from rollout.stats.arrays import BoolArray

MayMoveUp: TypeAlias = Callable[[Opening | None, int], bool]
"""Whether a policy's hours let traffic move up at a moment; calendars are not known here."""
Part = TypeVar("Part")
_DROPPED_SHARE: Final = 0.05
"""When so many of the lives are over, they are no longer drawn."""
_APPROVER: Final = "a simulated person"


@dataclass(frozen=True, slots=True)
class Course:
    """What is lived through: a policy in a world, looked at so often."""

    policy: Policy
    scenario: Scenario
    every_s: float
    may_move_up: MayMoveUp
    skips_quiet_looks: bool = True
    """Whether looks that can only be held are not decided; the lives are the same either way."""


class Lives:
    """Some lives side by side; `run` lives them to their ends."""

    def __init__(self, course: Course, rng: Generator, replicates: int) -> None:
        policy = course.policy
        self._course, self._policy = course, policy
        self._world = World(policy, course.scenario, rng, replicates)
        goal, candidates = goal_of(policy), len(policy.candidates)
        self._naive = None if goal is None else Naive(goal, candidates=candidates, replicates=replicates)
        begin_us = start_us(course.scenario)
        first = Experiment("simulated", policy, 1, Phase.RUNNING, 0, begin_us, begin_us, begin_us)
        self._lives = [first] * replicates
        self._decisions = [Decision(Reason.STEP_UNFINISHED)] * replicates
        self._fresh_us = [begin_us] * replicates
        self._was_complete = [True] * replicates
        self._wakes_us = [0] * replicates
        self._number = np.arange(replicates)
        self._is_over = np.zeros(replicates, dtype=np.bool_)
        stages = len(policy.stages)
        self._entered_s = np.full((replicates, stages), np.inf)
        self._entered_s[:, 0] = 0.0
        self._step = np.zeros(replicates, dtype=np.int64)
        self._active = np.ones((replicates, policy.arms), dtype=np.bool_)
        self._endings: list[Ending | None] = [None] * replicates
        self.moments: list[Moment] = []
        """Every look at the first life that could see the goal."""

    def run(self, on_look: Callable[[int, int], None]) -> list[Ending]:
        """Live all of them, and return their ends; `on_look` is told how many of how many looks are done."""
        times = look_times(self._policy, self._course.scenario, self._course.every_s).tolist()
        before_s = 0.0
        for number, now_s in enumerate(times, start=1):
            self._look(Span(before_s, now_s))
            before_s = now_s
            on_look(number, len(times))
            if not len(self._lives):
                break
        for place in range(len(self._lives)):
            self._end(place, Outcome.RUNNING, before_s)
        return [ending for ending in self._endings if ending is not None]

    def _look(self, span: Span) -> None:
        stand, now_s = self._stand(), span.to_s
        self._world.pass_to(now_s, stand)
        now_us = self._world.now_us()
        is_late = self._late(now_us, now_s)
        judgements = judge_many(self._lives, self._world.evidence(), now_us, PATIENCE)
        if self._naive is not None:
            pooled = self._world.pooled(self._naive.goal)
            self._naive.look(pooled, now_s, self._world.is_harmful)
            if self._number[0] == 0 and not self._is_over[0]:
                self._take_picture(judgements[0], stand, span, float(lift(pooled)[0, 0]))
        is_open = self._course.may_move_up(self._policy.advance, now_us)
        moved = np.zeros(len(self._lives), dtype=np.bool_)
        is_over, actives = self._is_over.tolist(), self._active[:, 1:].sum(axis=1).tolist()
        for place, (life, judgement) in enumerate(zip(self._lives, judgements, strict=True)):
            if is_over[place]:
                continue
            if self._was_complete[place] and not is_late[place]:
                # At the ticks between two looks nothing but time would have passed.
                self._fresh_us[place] = max(self._fresh_us[place], now_us)
                if now_us < self._wakes_us[place] and is_quiet(judgement, actives[place]):
                    self._lives[place] = _latched(life, judgement)
                    continue
            ready = (
                life
                if life.fresh_us == self._fresh_us[place]
                else replace(life, fresh_us=self._fresh_us[place])
            )
            seen = judgement if is_open else replace(judgement, window_is_open=False)
            moved[place] = self._live_on(place, ready, seen, now_s, now_us)
        if moved.any():
            self._world.begin_step(moved)
        if self._is_over.mean() >= _DROPPED_SHARE:
            self._drop_ended()

    def _live_on(self, place: int, life: Experiment, judgement: Judgement, now_s: float, now_us: int) -> bool:
        """Decide one life's next moment; return whether a step has begun."""
        decision = decide(life, judgement, None, now_us)
        after = evolve(life, judgement, decision, now_us)
        self._lives[place], self._decisions[place] = after, decision
        self._fresh_us[place], self._was_complete[place] = after.fresh_us, is_complete(life, judgement)
        self._wakes_us[place] = wakes_us(after) if self._course.skips_quiet_looks else 0
        match decision.action:
            case Action.HOLD:
                return False
            case Action.AWAIT:
                self._lives[place] = replace(after, wish=self._approval(after, now_us))
                return False
            case Action.ADVANCE:
                self._step[place] = after.step
                self._entered_s[place, after.step] = now_s
                return True
            case Action.STOP_ARM:
                self._active[place, 1:] = [arm in after.active_arms for arm in range(1, self._policy.arms)]
                return False
            case action if action in ENDS:
                self._end(place, ENDS[action], now_s)
                return False
            case _:
                return False

    def _approval(self, life: Experiment, now_us: int) -> Wish:
        """Return what people who are asked answer by the next look: they approve."""
        given = {approval.group for approval in life.approvals}
        group = next(group for group in self._policy.approvers if group not in given)
        return Wish(_APPROVER, "it is proven", now_us, Asked.APPROVE, group)

    def _late(self, now_us: int, now_s: float) -> list[bool]:
        """Return where not everything until now is filed, or the clock says so."""
        true_us = start_us(self._course.scenario) + int(now_s * 1e6)
        if now_us - true_us > PATIENCE.stale_after_us:
            return [True] * len(self._lives)
        return [*self._world.filed_late.tolist()]

    def _stand(self) -> Stand:
        mirrors = len(self._policy.mirror_steps)
        copied = np.array(
            [stage.share_bp if isinstance(stage, MirrorStep) else 0 for stage in self._policy.stages]
        )
        warm_s = np.array([stage.warmup_s for stage in self._policy.stages])
        rows = np.arange(len(self._step))
        return Stand(
            steps_on=np.maximum(self._step + 1 - mirrors, 0),
            mirrored=copied[self._step] / WHOLE_BP,
            active=self._active,
            entered_s=self._entered_s,
            warm_from_s=self._entered_s[rows, self._step] + warm_s[self._step],
        )

    def _take_picture(self, judgement: Judgement, stand: Stand, span: Span, naive: float) -> None:
        goal = "" if self._naive is None else self._naive.goal
        own = next((one for one in judgement.verdicts if one.metric == goal and one.arm == 1), None)
        if own is None or own.estimate is None:
            return
        low, high = own.interval or (None, None)
        step = self._policy.stages[int(self._step[0])]
        weight = 0 if isinstance(step, MirrorStep) else step.weight_bp
        truth = float(self._world.true_lift(goal, stand, span)[0, 1])
        seen = None if np.isnan(naive) else naive
        low, high = _finite(low), _finite(high)
        self.moments.append(Moment(span.to_s, weight / WHOLE_BP, truth, own.estimate, low, high, seen))

    def _end(self, place: int, outcome: Outcome, now_s: float) -> None:
        """Write down how a life ended."""
        if self._is_over[place]:
            return
        self._is_over[place] = True
        decision = self._decisions[place]
        harmful = self._world.is_harmful[place]
        was_harmful = outcome is Outcome.PROMOTED and bool(harmful[decision.arm or 1])
        self._endings[int(self._number[place])] = Ending(
            outcome=outcome,
            decision=decision,
            at_s=now_s,
            exposed=int(self._world.exposed[place].sum()),
            tried=int(self._world.tried[place]),
            was_harmful=was_harmful,
            naive=self._naive_ending(place),
        )

    def _naive_ending(self, place: int) -> NaiveEnding | None:
        if self._naive is None:
            return None
        at_s = float(self._naive.at_s[place])
        outcome = Outcome(named(self._naive.verdict[place : place + 1])[0])
        return NaiveEnding(outcome, _finite(at_s), bool(self._naive.was_harmful[place]))

    def _drop_ended(self) -> None:
        kept = ~self._is_over
        self._world.keep(kept)
        if self._naive is not None:
            self._naive.keep(kept)
        self._lives, self._decisions = _kept(self._lives, kept), _kept(self._decisions, kept)
        self._fresh_us, self._was_complete = _kept(self._fresh_us, kept), _kept(self._was_complete, kept)
        self._wakes_us = _kept(self._wakes_us, kept)
        self._number, self._entered_s = self._number[kept], self._entered_s[kept]
        self._step, self._active, self._is_over = self._step[kept], self._active[kept], self._is_over[kept]


def _latched(life: Experiment, judgement: Judgement) -> Experiment:
    """Return a life with a look's latches, without a copy of everything else."""
    latches = life.latches
    if not isinstance(latches, dict):
        return replace(life, latches=judgement.latches)
    # Nobody else holds them: every judgement makes its own.
    latches.update(judgement.latches)
    return life


def _kept(parts: Sequence[Part], kept: BoolArray) -> list[Part]:
    return [part for part, is_kept in zip(parts, kept.tolist(), strict=True) if is_kept]


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
