"""What the control plane says over HTTP, written down once: the API fills these shapes, the client reads.

Words such as phases and reasons are plain text here, and unknown keys are let through: a newer control plane
may say more than an older client knows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rollout.client.waiting import OutlookAnswer

MAXIMUM_POLICY_BYTES: Final = 256 * 1024
MAXIMUM_WHY_CHARACTERS: Final = 1_000
MAXIMUM_WHO_CHARACTERS: Final = 200
MAXIMUM_PAGE: Final = 500
YAML: Final = "application/yaml"
PROBLEM: Final = "application/problem+json"


class Answer(BaseModel):
    """The base of every shape: it never changes after it was read, and ignores what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Scale(StrEnum):
    """What a verdict's estimate and interval are counted in."""

    LIFT = "lift"
    """Relative to the control: 0.05 is five percent more."""
    SHARE = "share"
    """A share of requests, to be compared with `limit`."""
    VALUE = "value"
    """The last value that was polled, to be compared with `limit`."""


class WishAnswer(Answer):
    """What a person asked for, until a decision has answered it."""

    who: str
    why: str
    at: AwareDatetime
    kind: str = "rollback"
    group: str | None = Field(None, description="In whose name a person approves.")
    candidate: int | None = Field(None, description="Which one should be promoted; counts from 1.")


class DecisionAnswer(Answer):
    """A decision: what happens, why, and since when that has been so."""

    number: int = Field(description="The entry in the run's history; counts from 1.")
    action: str
    reason: str = Field(description="The reason's name, for programs.")
    sentence: str = Field(description="The reason, for people.")
    metric: str | None = Field(None, description="The metric that the reason speaks of.")
    candidate: str | None = Field(None, description="The version that the reason speaks of, of several.")
    wish: WishAnswer | None = Field(None, description="Who asked for it, and why.")
    at: AwareDatetime
    since: AwareDatetime = Field(description="When this action was first decided for this reason, unbroken.")


class VerdictAnswer(Answer):
    """What the evidence says of one metric; a number that does not exist is null."""

    metric: str
    candidate: str | None = Field(None, description="The version that it speaks of, of several.")
    role: str | None = Field(None, description="None for what every policy requires, such as `fallback`.")
    finding: str
    proof: float = Field(description="How much of the proof that is needed there is, 0 to 1.")
    harm: float = Field(description="How much of the proof of harm that rolls back there is, 0 to 1.")
    log_e_proof: float | None = None
    log_e_harm: float | None = None
    latched_proof: float | None = None
    proof_bar: float | None = None
    harm_bar: float | None = None
    scale: Scale
    limit: float | None = Field(None, description="What a share, or a polled value, must keep.")
    estimate: float | None = None
    interval: tuple[float | None, float | None] | None = None
    is_immature: bool = False
    is_outage: bool = False
    why: str | None = Field(None, description="Why it is missing, or why nothing may be proven of it.")


class LookAnswer(Answer):
    """What one recorded look saw."""

    at: AwareDatetime
    watermark: AwareDatetime | None = Field(None, description="Up to when the evidence reaches.")
    evidence_is_fresh: bool
    held_by: str | None = Field(None, description="Which source is too far behind, where that is known.")
    split_holds: bool
    log_e_mismatch: float | None = Field(None, description="Against a split as the policy means it.")
    units_in_step: tuple[int, ...] = Field(
        description="Units since the step began: the control's, then each candidate's."
    )
    verdicts: tuple[VerdictAnswer, ...]


class DegradedAnswer(Answer):
    """A version that does not fare well, on all proxies together."""

    version: str
    arm: str
    failures: dict[str, int] = Field(description="Attempts that failed in the last minute, by cause.")
    ejections: int = Field(description="How often a host was ejected in the last minute.")
    hosts: int
    healthy_hosts: int
    open_breakers: tuple[str, ...] = Field((), description="The limits that are reached now.")
    nodes: tuple[str, ...] = Field(description="Where it is so.")
    sentence: str = Field(description="All of it, for people.")


class LayerAnswer(Answer):
    """A run's own buckets of its layer, from its start to its end."""

    name: str
    lo: int = Field(description="The first of its buckets.")
    hi: int = Field(description="The first bucket after them.")


class ExperimentAnswer(Answer):
    """Where one experiment stands."""

    name: str
    uid: str
    version: int = Field(0, description="How often its state was recorded; with the uid, its `ETag`.")
    revision: int
    owner: str
    path: str
    baseline: str
    candidates: tuple[str, ...]
    phase: str
    has_ended: bool
    step: int = Field(description="The present step; counts from 1.")
    steps: int
    weight_bp: int = Field(description="Each candidate's present share of the traffic, in basis points.")
    step_weights_bp: tuple[int, ...] = Field(description="Each candidate's share at every step.")
    traffic_is_live: bool = Field(description="Whether every proxy has confirmed the recorded traffic.")
    started_at: AwareDatetime
    step_entered_at: AwareDatetime
    decision: DecisionAnswer | None = Field(None, description="None until the first look is recorded.")
    look: LookAnswer | None = None
    rollback_wish: WishAnswer | None = None
    wish: WishAnswer | None = Field(None, description="What else a person asked for, until it is answered.")
    stopped: tuple[str, ...] = Field((), description="Candidates that are stopped, by their versions.")
    winner: str | None = Field(None, description="The version that was proven, once one is.")
    approved_by: tuple[str, ...] = Field((), description="Groups in whose name a person has approved.")
    waits_for: tuple[str, ...] = Field((), description="Groups whose approval is still to come.")
    layer: LayerAnswer | None = Field(None, description="Its range of a layer, where it has one.")
    degraded: tuple[DegradedAnswer, ...] = Field((), description="Versions that do not fare well now.")
    newest: LookAnswer | None = Field(None, description="The newest look, recorded or not.")
    outlook: OutlookAnswer | None = Field(None, description="What it waits for, and until when.")


class ExperimentsAnswer(Answer):
    """A page of experiments, in the order in which they were started."""

    experiments: tuple[ExperimentAnswer, ...]
    next_after: str | None = Field(None, description="Ask for those after this one; null at the end.")


class Change(StrEnum):
    """What became of a run that was given another policy."""

    AT_ONCE = "at-once"
    """It goes on, and keeps its evidence."""
    NEW_REVISION = "new-revision"
    """Its evidence is discarded, and its steps begin anew."""


class StartedAnswer(Answer):
    """The experiment, and whether this request started it."""

    is_new: bool
    change: Change | None = Field(None, description="What became of a run that had another policy.")
    experiment: ExperimentAnswer
    warnings: tuple[str, ...] = ()


class EntryAnswer(Answer):
    """One recorded decision, the state that followed, and what it rests on."""

    number: int
    revision: int = Field(description="Of the policy that it rests on; a new one discards all evidence.")
    at: AwareDatetime
    action: str
    reason: str
    sentence: str
    metric: str | None = None
    candidate: str | None = None
    wish: WishAnswer | None = None
    phase: str = Field(description="The phase that followed.")
    step: int = Field(description="The step that followed; counts from 1.")
    steps: int = Field(description="How many steps its policy has.")
    look: LookAnswer


class HistoryAnswer(Answer):
    """A page of a run's entries, the oldest first."""

    name: str
    uid: str
    total: int
    entries: tuple[EntryAnswer, ...]
    next_after: int | None = Field(None, description="Ask for the entries after this one; null at the end.")


class ProblemAnswer(Answer):
    """One thing that is wrong: where, what, and what to do."""

    where: str
    what: str
    remedy: str


class ProblemsAnswer(Answer):
    """Why a request was refused, as RFC 9457 writes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    problems: tuple[ProblemAnswer, ...] = ()
    experiment: ExperimentAnswer | None = Field(None, description="How it stands, where that is why.")


class ReportFormat(StrEnum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
