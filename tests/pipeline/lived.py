"""Many experiments in one log and one lake: each is looked at as planned, and what is decided is noted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from rollout.domain.decide import decide
from rollout.domain.decision import Decision, Reason
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import Patience, judge
from rollout.domain.policy import Policy
from rollout.domain.verdict import Judgement, Verdict
from rollout.lake.outcomes import Outcome
from rollout.stats.arrays import BoolArray, IntArray
from tests.pipeline.columns import REVISION, SECOND_US, Outcomes, People, Requests, in_order, lines_of, told
from tests.pipeline.short_chain import Converting, ShortChain, as_it_is, short_chain
from tests.pipeline.sight import Sight, read

DAY_US: Final = 86_400 * SECOND_US
BEGIN_US: Final = DAY_US * 20_000
HARMED: Final = frozenset({Reason.METRIC_HARMED, Reason.LIMIT_VIOLATED})
_UNSEEN: Final = frozenset({Reason.EVIDENCE_MISSING, Reason.EVIDENCE_STALE})
_PATIENCE: Final = Patience()


@dataclass(frozen=True)
class Column:
    """One replicate: an experiment with a name, a route and people of its own."""

    who: People
    requests: Requests
    outcomes: Outcomes = field(default_factory=Outcomes)
    goal: str = ""

    @property
    def policy(self) -> Policy:
        """What is asked of it."""
        return self.who.policy


@dataclass(frozen=True)
class Schedule:
    """When it is looked at, and when each step begins, in microseconds from the start on."""

    looks_us: IntArray
    steps_us: tuple[int, ...] = (0,)

    def step_at(self, at_us: IntArray) -> IntArray:
        """Return how many steps are on at each time; a step begins behind a look at the same moment."""
        return np.maximum(np.searchsorted(self.steps_us, at_us, side="left"), 1)


@dataclass
class Ending:
    """What was judged and decided of one experiment, look by look; it goes on whatever was decided."""

    experiment: Experiment
    judgements: list[Judgement] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def ever(self, *reasons: Reason) -> bool:
        """Return whether any of these was decided at any look."""
        return any(decision.reason in reasons for decision in self.decisions)

    @property
    def was_harmed(self) -> bool:
        """Whether it would have been rolled back."""
        return self.ever(*HARMED)

    @property
    def was_promoted(self) -> bool:
        """Whether it would have been promoted."""
        return self.ever(Reason.GOAL_PROVEN)

    def verdicts(self, metric: str) -> list[Verdict]:
        """Return what was said of a metric at each look."""
        return [one for look in self.judgements for one in look.verdicts if one.metric == metric]


@dataclass(frozen=True)
class Lived:
    """What came of all columns, and what anybody can read in the lake."""

    endings: tuple[Ending, ...]
    sights: tuple[Sight, ...]

    def each(self, asked: Callable[[Ending], bool]) -> BoolArray:
        """Return the answer for each replicate."""
        return np.array([asked(ending) for ending in self.endings], dtype=np.bool_)

    @cached_property
    def harmed(self) -> BoolArray:
        """Which were rolled back."""
        return self.each(lambda ending: ending.was_harmed)

    @cached_property
    def promoted(self) -> BoolArray:
        """Which were promoted."""
        return self.each(lambda ending: ending.was_promoted)

    @cached_property
    def mismatched(self) -> BoolArray:
        """Which were paused because units did not fall to the arms as split."""
        return self.each(lambda ending: ending.ever(Reason.MISMATCH_PAUSES))


def live(columns: Sequence[Column], schedule: Schedule, *, converting: Converting = as_it_is) -> Lived:
    """Live all columns side by side, from the first request to the last look."""
    with (
        tempfile.TemporaryDirectory(prefix="rollout-traps-") as folder,
        short_chain(Path(folder), begin_us=BEGIN_US, converting=converting) as chain,
    ):
        endings = [Ending(_started(column, number)) for number, column in enumerate(columns)]
        _split(chain, columns, schedule)
        _look(chain, endings, schedule, 0, is_last=False)
        before_us = -1
        for look_us in schedule.looks_us.tolist():
            chain.clock.now_us = BEGIN_US + look_us
            chain.take_in(*_between(columns, schedule, before_us, look_us))
            _look(chain, endings, schedule, look_us, is_last=look_us == schedule.looks_us[-1])
            before_us = look_us
        sights = read(chain.lake, [column.policy.name for column in columns], BEGIN_US)
    return Lived(tuple(endings), sights)


def _started(column: Column, number: int) -> Experiment:
    uid = f"{number:08d}"
    return Experiment(uid, column.policy, REVISION, Phase.RUNNING, 0, BEGIN_US, BEGIN_US, BEGIN_US)


def _split(chain: ShortChain, columns: Sequence[Column], schedule: Schedule) -> None:
    """Have the node acknowledge every step as it begins."""
    for number, step_us in enumerate(schedule.steps_us, start=1):
        for column in columns:
            chain.journal.acknowledged(column.policy.name, number, BEGIN_US + step_us)


def _between(
    columns: Sequence[Column], schedule: Schedule, after_us: int, until_us: int
) -> tuple[bytes, list[Outcome]]:
    """Return the lines and the outcomes after one time and until another."""
    lines, times, outcomes = [], [], []
    for column in columns:
        chosen = _chosen(column.requests.at_us, after_us, until_us)
        asked = column.requests
        part = Requests(
            asked.unit[chosen],
            asked.at_us[chosen],
            None if asked.failed is None else asked.failed[chosen],
            None if asked.dur_us is None else asked.dur_us[chosen],
        )
        lines += lines_of(column.who, part, BEGIN_US, schedule.step_at(part.at_us))
        times.append(part.at_us)
        reported = column.outcomes
        due = _chosen(reported.at_us, after_us, until_us)
        if due.any():
            told_now = Outcomes(reported.unit[due], reported.at_us[due], reported.value[due])
            outcomes += told(column.who, column.goal, told_now, BEGIN_US)
    return in_order(lines, np.concatenate(times)), outcomes


def _chosen(at_us: IntArray, after_us: int, until_us: int) -> BoolArray:
    return np.asarray((at_us > after_us) & (at_us <= until_us))


def _look(
    chain: ShortChain, endings: Sequence[Ending], schedule: Schedule, look_us: int, *, is_last: bool
) -> None:
    step = int(schedule.step_at(np.array([look_us]))[0]) - 1
    now_us = BEGIN_US + look_us
    for ending in endings:
        before = replace(ending.experiment, step=step, step_entered_us=BEGIN_US + schedule.steps_us[step])
        observed = chain.evidence.observe(before, now_us)
        assert observed.problems == (), observed.problems
        judgement = judge(before, observed.evidence, now_us, _PATIENCE)
        decision = decide(before, judgement, None, now_us)
        assert not (is_last and decision.reason in _UNSEEN), decision
        # Whatever was decided, the next look comes: a reader may stop at any, and none hides another.
        ending.experiment = evolve(before, judgement, Decision(Reason.GOAL_UNPROVEN), now_us)
        ending.judgements.append(judgement)
        ending.decisions.append(decision)
