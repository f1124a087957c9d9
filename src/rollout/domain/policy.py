"""What an ML engineer wants: the frozen policy of one experiment, as the rest of the house reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from rollout.domain.metric import Metric

WHOLE_BP: Final = 10_000
"""All traffic, in basis points; also the number of buckets."""


RETRY_PAUSE_S: Final = 0.025
"""The longest pause between the candidate's try and the fallback's."""


class Choice(StrEnum):
    """What a policy may ask for when the evidence does not decide."""

    PAUSE = "pause"
    ROLL_BACK = "rollback"


class Test(StrEnum):
    """What a condition on a request header asks."""

    IN = "in"
    PREFIX = "prefix"
    PRESENT = "present"
    ABSENT = "absent"


class Event(StrEnum):
    """What people may be told of."""

    DECISION = "decision"
    PAUSED = "paused"
    ROLLBACK = "rollback"
    PROMOTED = "promoted"
    APPROVAL = "approval"
    ACTION_FAILED = "action-failed"


@dataclass(frozen=True, slots=True)
class Tls:
    """How an upstream proves who it is; `ca` is a name in the settings."""

    ca: str | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A deployed version of the model, where it answers, and how it is called."""

    version: str
    url: str
    http2: bool = False
    tls: Tls | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Set on every request to this version, and on none to another."""
    credential: str | None = None
    """The name, in the settings, of what is sent as its authorization."""
    health_check: str | None = None
    """The path that is asked before it gets requests."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A share of the users that no other policy of this layer shares."""

    name: str
    share_bp: int


@dataclass(frozen=True, slots=True)
class Condition:
    """What a request header must be for a request to take part."""

    header: str
    test: Test
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resilience:
    """How long a request may take, and who answers when the candidate does not."""

    timeout_s: float = 3.0
    per_try_timeout_s: float = 0.3
    falls_back: bool = True
    max_fallback: float = 0.01


@dataclass(frozen=True, slots=True)
class Level:
    """What is known of a metric in the baseline before the start."""

    mean: float
    deviation: float | None = None


@dataclass(frozen=True, slots=True)
class Expect:
    """What is known of the traffic: it sets plans and tuning, never validity."""

    units_per_day: float | None = None
    requests_per_s: float | None = None
    levels: Mapping[str, Level] | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """What a step waits for before the next one."""

    for_s: float = 0.0
    min_units: int = 0
    until_verdict: bool = False
    at_most_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A weight per candidate, and how long to stay there."""

    weight_bp: int
    hold: Hold
    warmup_s: float = 0.0
    """At its beginning, left out of every arm's proxy metrics alike."""


@dataclass(frozen=True, slots=True)
class MirrorStep:
    """A share of the requests that the candidate is sent a copy of; its answers are thrown away."""

    share_bp: int
    hold: Hold
    warmup_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Risk:
    """How often a decision may be wrong, in all looks of a revision together."""

    wrong_promotion: float = 0.05
    wrong_rollback: float = 0.01


@dataclass(frozen=True, slots=True)
class Decide:
    """What happens when the evidence does not decide."""

    inconclusive: Choice = Choice.PAUSE
    mismatch: Choice = Choice.PAUSE
    no_data_hold_s: float = 1800.0
    no_data_then: Choice = Choice.PAUSE
    mirror: Choice = Choice.PAUSE
    """When the candidate fails the copies it is sent."""


@dataclass(frozen=True, slots=True)
class LocalCommand:
    """An action carried out on the control plane's own machine: a list of arguments, never a shell string."""

    command: tuple[str, ...]
    deadline_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class WorkflowCall:
    """An action carried out by a workflow of this template."""

    template: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = 1800.0


Action: TypeAlias = LocalCommand | WorkflowCall


@dataclass(frozen=True, slots=True)
class Actions:
    """What is run beside traffic when an experiment ends."""

    promote: Action | None = None
    rollback: Action | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """When traffic may move up: on these weekdays (0 is Monday), between two times of day in a zone."""

    weekdays: tuple[int, ...]
    from_minute: int
    to_minute: int
    zone: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Who is told of what; `to` is a name whose address is in the settings."""

    to: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """One reviewed file, parsed and checked; nothing in it changes while its revision runs."""

    name: str
    owner: str
    path: str
    baseline: Version
    candidates: tuple[Version, ...]
    unit_header: str
    salt: str
    metrics: tuple[Metric, ...]
    steps: tuple[Step, ...]
    expect: Expect = Expect()
    resilience: Resilience = Resilience()
    risk: Risk = Risk()
    decide: Decide = Decide()
    actions: Actions = Actions()
    host: str | None = None
    """Whose requests take part; nothing is every host."""
    layer: Layer | None = None
    holdout_bp: int = 0
    """Units that no policy with a holdout ever tries anything on."""
    match: tuple[Condition, ...] = ()
    """What a request must be to take part: all of it."""
    mirror_steps: tuple[MirrorStep, ...] = ()
    """What comes before the first weight; alone, they are an experiment that never promotes."""
    approvers: tuple[str, ...] = ()
    """Groups of which a person must approve a proven promotion; none asks for nobody."""
    watch_s: float = 1800.0
    """How long limits stay armed after a promotion."""
    advance: Opening | None = None
    """When traffic may move up; never delays a rollback."""
    notify: tuple[Notice, ...] = ()

    @property
    def arms(self) -> int:
        """How many arms are compared: the control and every candidate."""
        return 1 + len(self.candidates)

    @property
    def stages(self) -> tuple[MirrorStep | Step, ...]:
        """Every step in its order: copies first, then weights."""
        return (*self.mirror_steps, *self.steps)
