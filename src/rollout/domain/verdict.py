"""What the evidence says about one metric; absence of evidence is a finding of its own, never good news."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """The one word for a metric, worst first."""

    HARMED = "harmed"
    MISSING = "missing"
    UNCLEAR = "unclear"
    SAFE = "safe"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A metric's finding and the numbers under it: log e-values, the latched proof, an interval to read."""

    metric: str
    finding: Finding
    arm: int = 1
    """Which candidate it speaks of, counted from 1."""
    log_e_proof: float = 0.0
    log_e_harm: float = 0.0
    latched_proof: float = 0.0
    proof_bar: float = 0.0
    harm_bar: float = 0.0
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    is_immature: bool = False
    """No window can have closed yet: it blocks a promotion, and nothing else."""
    is_outage: bool = False
    """Baseline and candidate suffer together: it holds."""
    needs_proof: bool = True
    """Whether a promotion waits for its proof; a guardrail without a margin only must not be harmed."""
    bound: float | None = None
    """The worse end of the interval, counted so that more is better."""
    why: str | None = None
    """Why it is missing, or why nothing may be proven of it, where that is known."""

    @property
    def is_proven(self) -> bool:
        """Whether it is proven better or safe."""
        return self.finding is Finding.SAFE or self.finding is Finding.BETTER

    @property
    def allows_promotion(self) -> bool:
        """Whether promotion may rest on this metric: proven, or open and in no need of proof."""
        if self.needs_proof or self.finding is not Finding.UNCLEAR:
            return self.is_proven
        return not self.is_immature and not self.is_outage


@dataclass(frozen=True, slots=True)
class MirrorVerdict:
    """How a shadow fares with the copies it is sent; nothing of it is ever a proof."""

    arm: int
    copies: int
    failures: int
    log_e_failing: float
    """Against "at most 20 % of the copies fail"."""
    bar: float

    @property
    def is_delivered(self) -> bool:
        """Whether any copy has arrived: without one, nothing moves up."""
        return self.copies > 0

    @property
    def is_failing(self) -> bool:
        """Whether too many copies are proven to fail."""
        return self.log_e_failing >= self.bar


def latch_name(arm: int, metric: str) -> str:
    """Return under which name a candidate's proof of a metric is latched; the first one's needs no number."""
    return metric if arm == 1 else f"{metric}@{arm}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts of one look, and whether the look itself can be trusted."""

    verdicts: tuple[Verdict, ...]
    """Everything that may be acted on, candidate after candidate; a stopped one has none."""
    log_e_mismatch: float
    split_holds: bool
    evidence_is_fresh: bool
    units_in_step: tuple[int, ...]
    """Distinct units enrolled since the step began: the control's, then each candidate's."""
    latches: Mapping[str, float]
    """The largest valid log e of each proof so far by `latch_name`, to be recorded with the decision."""
    traffic_is_live: bool = True
    """Every proxy has confirmed the recorded split; without it nothing moves up."""
    window_is_open: bool = True
    """The policy lets traffic move up at this time."""
    observed: tuple[Verdict, ...] = ()
    """What is only reported: never an alarm, never in the way."""
    mirrors: tuple[MirrorVerdict, ...] = ()
    """One for each candidate whose shadow was asked about, while copies are sent."""
    held_by: str | None = None
    """Which source keeps the evidence from being fresh, where that is known."""

    def first(self, finding: Finding) -> Verdict | None:
        """Return the first verdict with this finding, in the policy's order."""
        return next((verdict for verdict in self.verdicts if verdict.finding is finding), None)

    @property
    def arms(self) -> tuple[int, ...]:
        """The candidates that were judged, counted from 1, in their order."""
        return tuple(dict.fromkeys(verdict.arm for verdict in self.verdicts))

    def for_arm(self, arm: int) -> tuple[Verdict, ...]:
        """Return what was judged of one candidate, in the policy's order."""
        return tuple(verdict for verdict in self.verdicts if verdict.arm == arm)

    @property
    def proven_arms(self) -> tuple[int, ...]:
        """The candidates of which everything allows a promotion."""
        lacking = {verdict.arm for verdict in self.verdicts if not verdict.allows_promotion}
        return tuple(arm for arm in self.arms if arm not in lacking)

    def best_proven_arm(self, goal: str) -> int | None:
        """Return the proven candidate with the largest lower bound of the goal now, or None without any."""
        proven = self.proven_arms
        if len(proven) <= 1:
            return proven[0] if proven else None
        bounds = {verdict.arm: verdict.bound for verdict in self.verdicts if verdict.metric == goal}
        known = {arm: -math.inf if bound is None else bound for arm, bound in bounds.items()}
        return max(proven, key=lambda arm: (known.get(arm, -math.inf), -arm))
