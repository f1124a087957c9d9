"""Judging a run again: what nothing new has come for is as it was, and only what is new is worked out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import is_
from typing import Final, TypeAlias

from rollout.domain.evidence import ArmEvidence, Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.judge import judge_looks, measured
from rollout.domain.look import Looks, Patience, looks
from rollout.domain.measure.measured import Measured, Polled
from rollout.domain.memory import Memory
from rollout.domain.policy import Policy
from rollout.domain.quality import Quality
from rollout.domain.question import Question, questions
from rollout.domain.verdict import Judgement

Measuring: TypeAlias = Callable[[Policy, Question, ArmEvidence, Memory], Measured | Polled | None]
LARGEST: Final = 5_000
"""How many runs are remembered; the one that was new longest ago is given up first."""


@dataclass(slots=True)
class _Known:
    """What the last look at a run came to, and all that its judgement follows from."""

    memory: Memory = field(default_factory=Memory)
    arms: dict[int, Memory] = field(default_factory=dict)
    asked: tuple[Policy, tuple[Question, ...]] | None = None
    objects: tuple[object, ...] = ()
    values: tuple[object, ...] = ()
    judgement: Judgement | None = None

    def questions(self, policy: Policy) -> tuple[Question, ...]:
        """Return what is asked, the same objects while the policy is the same."""
        if self.asked is None or self.asked[0] is not policy:
            self.asked = (policy, questions(policy))
        return self.asked[1]

    def objects_are(self, objects: tuple[object, ...]) -> bool:
        """Return whether these are the very same objects as at the last look."""
        return len(objects) == len(self.objects) and all(map(is_, objects, self.objects))


class Rejudging:
    """Judges as `judge` does, to the last bit, whatever was judged before.

    A judgement follows from what was measured, from the look's own standing, and from a few facts of the run:
    while all of these are the same, it is the same. A look that is not fresh is always judged.
    """

    def __init__(self, measuring: Measuring = measured) -> None:
        self._measuring = measuring
        self._turn = threading.Lock()
        self._known: dict[str, _Known] = {}

    def __call__(
        self, experiment: Experiment, evidence: Evidence, now_us: int, patience: Patience
    ) -> Judgement:
        """Return what this look says of every metric."""
        known, policy, active = self._of(experiment.uid), experiment.policy, experiment.active_arms
        found = {
            (question.name, arm): self._measuring(
                policy, question, evidence.arms[arm - 1], known.arms.setdefault(arm, Memory())
            )
            for arm in active
            for question in known.questions(policy)
        }
        seen = looks((experiment,), evidence, now_us, patience, known.memory)
        quality = evidence.quality
        objects = (policy, patience, *_reports(quality), *found.values())
        values = (
            _facts(experiment),
            _records(quality),
            (bool(seen.is_fresh[0]), float(seen.log_e_mismatch[0])),
            [bool(seen.are_due(one.window_s)[0]) for one in known.questions(policy)],
            evidence.units_in_step.tolist(),
        )
        is_as_before = known.objects_are(objects) and values == known.values
        if known.judgement is not None and is_as_before and _may_stand(seen, evidence):
            return known.judgement

        def measuring(_policy: Policy, question: Question, arm: ArmEvidence) -> Measured | Polled | None:
            number = next(one for one in active if evidence.arms[one - 1] is arm)
            return found[question.name, number]

        known.judgement = judge_looks((experiment,), evidence, seen, now_us, measuring)[0]
        known.objects, known.values = objects, values
        return known.judgement

    def _of(self, uid: str) -> _Known:
        with self._turn:
            if uid not in self._known and len(self._known) >= LARGEST:
                del self._known[next(iter(self._known))]
            return self._known.setdefault(uid, _Known())


def _facts(experiment: Experiment) -> tuple[object, ...]:
    """Return what a judgement takes from the run itself, beside its policy.

    When things began enters by what is due.
    """
    return (experiment.phase, experiment.step, experiment.active_arms, experiment.latches)


def _records(quality: Quality) -> tuple[object, ...]:
    """Return what doubts follow from; how far sources have come enters by whether the look is fresh."""
    return (
        quality.gaps,
        quality.losses,
        (quality.units, quality.two_armed, quality.ahead),
        quality.told,
        quality.unmeasured,
    )


def _reports(quality: Quality) -> Iterator[object]:
    for name, one in quality.reports.items():
        yield from (name, one.units, one.reporting, one.log_e)


def _may_stand(seen: Looks, evidence: Evidence) -> bool:
    """Return whether a judgement may stand: what holds a stale look is said anew, and copies are counted."""
    return bool(seen.is_fresh[0]) and all(arm.mirrored is None for arm in evidence.arms)
