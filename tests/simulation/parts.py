"""What a control plane of a simulated world is put together from; a planted bug replaces one part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from rollout.controller.reconcile import Judging, Tick
from rollout.controller.rejudging import Rejudging
from rollout.domain.evidence import ArmEvidence, Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge, measured
from rollout.domain.measure.measured import Measured, Polled
from rollout.domain.metric import Metric
from rollout.domain.policy import Policy
from rollout.domain.question import Question
from rollout.domain.verdict import Judgement
from rollout.ports import EvidenceSource, Jobs, Ledger, Traffic

Ticking: TypeAlias = Callable[[str, int], Tick | None]


class _Once:
    """Evidence of one candidate, which is the same object whenever the same is said of it."""

    def __init__(self, policy: Policy, arm: ArmEvidence) -> None:
        self.policy, self.arm = policy, arm
        self._key = (id(arm), policy.arms, tuple(step.weight_bp for step in policy.steps))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Once) and other._key == self._key


@lru_cache(maxsize=10_000)
def _remembered(metric: Metric | None, question: Question, once: _Once) -> Measured | Polled | None:
    del metric
    return measured(once.policy, question, once.arm)


def _measuring(policy: Policy, question: Question, arm: ArmEvidence) -> Measured | Polled | None:
    return _remembered(question.metric, question, _Once(policy, arm))


def judging(experiment: Experiment, evidence: Evidence, now_us: int, patience: Patience) -> Judgement:
    """Judge as always, but measure the same evidence only once: worlds have few kinds of it."""
    return judge(experiment, evidence, now_us, patience, _measuring)


def rejudging() -> Judging:
    """Judge as one control plane does, which remembers its last looks; measure as above."""
    return Rejudging(lambda policy, question, arm, _memory: _measuring(policy, question, arm))


@dataclass(frozen=True, slots=True)
class Parts:
    """Wraps each part of a control plane; as it stands, nothing is changed."""

    ledger: Callable[[Ledger, Jobs], Ledger] = lambda ledger, _jobs: ledger
    evidence: Callable[[EvidenceSource], EvidenceSource] = lambda evidence: evidence
    traffic: Callable[[Traffic], Traffic] = lambda traffic: traffic
    jobs: Callable[[Jobs], Jobs] = lambda jobs: jobs
    judging: Callable[[], Judging] = rejudging
    nodes_are_fenced: bool = True


SOUND = Parts()
