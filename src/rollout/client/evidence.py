"""What the control plane says of a run's evidence: units, moments, verdicts, and the records themselves."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from rollout.client.answers import Answer, VerdictAnswer


class ColumnAnswer(Answer):
    """One number that every unit has: `value`, `events` and `requests`, or numerator and denominator."""

    name: str
    total: float
    mean: float
    variance: float | None = Field(None, description="Between units; null with fewer than two.")


class BlockAnswer(Answer):
    """An arm's closed units of one block, which is a stratum of the comparison."""

    block: int
    units: int
    columns: tuple[ColumnAnswer, ...]


class ArmSampleAnswer(Answer):
    """An arm's closed units, all blocks and enrolment days together."""

    units: int
    nonzero: int | None = Field(None, description="Units whose first number is not zero.")
    columns: tuple[ColumnAnswer, ...]
    blocks: tuple[BlockAnswer, ...] = ()


class ToldAnswer(Answer):
    """Rows of one metric's outcomes in the lake."""

    rows: int
    repeated: int = Field(description="The same key with the same content again.")
    conflicting: int = Field(description="The same key with another content.")
    wrong_value: int = Field(description="A value that a metric of this type cannot use.")


class ReportsAnswer(Answer):
    """Closed units of all arms, and how many of them have told anything."""

    units: int
    reporting: int
    log_e: float = Field(
        description="Against a rate that has not fallen, since the slice that speaks loudest."
    )
    bar: float


class MetricEvidenceAnswer(Answer):
    """One metric of one candidate."""

    metric: str
    candidate: str
    source: str | None = Field(None, description="None for what every policy requires, such as `fallback`.")
    type: str | None = None
    window_s: float
    verdict: VerdictAnswer | None = Field(None, description="None while the candidate is not judged.")
    is_measured: bool
    control: ArmSampleAnswer | None = Field(None, description="Null where the test rests on nothing of it.")
    candidate_sample: ArmSampleAnswer | None = None
    early: dict[str, int] = Field(
        default_factory=dict, description="What the harm test saw before any unit closed."
    )
    told: ToldAnswer | None = None
    reports: ReportsAnswer | None = None


class FeedAnswer(Answer):
    """One source of records."""

    name: str
    kind: str
    watermark: AwareDatetime | None = Field(None, description="Everything before it is filed.")
    age_s: float | None = None
    seen: AwareDatetime
    bad_lines: int
    holds: bool = Field(description="Whether it holds the slow watermark.")


class GapAnswer(Answer):
    """Bytes that were handed in and are in no file of the lake."""

    kind: str
    node: str
    log: str
    start: int
    end: int


class LossAnswer(Answer):
    """Records that a node will never hand in; 0 rows when it does not know how many."""

    kind: str
    node: str
    rows: int
    until: AwareDatetime


class QualityAnswer(Answer):
    """What is known of the records themselves."""

    feeds: tuple[FeedAnswer, ...] = ()
    gaps: tuple[GapAnswer, ...] = ()
    losses: tuple[LossAnswer, ...] = ()
    units: int | None = None
    two_armed: int | None = Field(None, description="Units seen in two arms: they are in no sum.")
    ahead: int | None = Field(None, description="Units that begin in the future: a clock is wrong.")


class EvidenceAnswer(Answer):
    """Everything that a run's newest look rests on."""

    name: str
    revision: int
    at: AwareDatetime
    watermark: AwareDatetime | None = Field(None, description="Up to when everything is filed and joined.")
    fast_watermark: AwareDatetime | None = Field(None, description="The same of the proxies that speak.")
    first_enrolled: AwareDatetime | None = None
    evidence_is_fresh: bool
    held_by: str | None = None
    split_holds: bool
    log_e_mismatch: float
    versions: tuple[str, ...] = Field(description="The control's, then each candidate's.")
    units_in_step: tuple[int, ...]
    enrolled: tuple[int, ...] = Field(description="Distinct units of each arm.")
    metrics: tuple[MetricEvidenceAnswer, ...]
    quality: QualityAnswer


class ComparedAnswer(Answer):
    """One run's accounts, and what differs from those that were made anew."""

    name: str
    revision: int
    units: int
    differs: tuple[str, ...]


class RebuiltAnswer(Answer):
    """How making all accounts anew goes, and what came of it."""

    is_check: bool
    is_running: bool
    rows_read: int
    seconds: float
    problem: str | None
    runs: tuple[ComparedAnswer, ...]
