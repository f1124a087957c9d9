"""What the evidence says about one metric; absence of evidence is a finding of its own, never good news."""

from __future__ import annotations

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

    @property
    def is_proven(self) -> bool:
        """Whether promotion may rest on this metric."""
        return self.finding in {Finding.SAFE, Finding.BETTER}


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts of one look, and whether the look itself can be trusted."""

    verdicts: tuple[Verdict, ...]
    log_e_mismatch: float
    split_holds: bool
    evidence_is_fresh: bool
    units_in_step: tuple[int, int]
    latches: Mapping[str, float]
    """The largest valid log e of each proof so far, to be recorded with the decision."""

    def first(self, finding: Finding) -> Verdict | None:
        """Return the first verdict with this finding, in the policy's order."""
        return next((verdict for verdict in self.verdicts if verdict.finding is finding), None)
