"""What happened and why: one entry for each recorded decision, with the verdicts that it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.domain.decision import Decision
from rollout.domain.experiment import Phase
from rollout.domain.policy import Policy
from rollout.domain.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Entry:
    """A look that was recorded: a decision, the state that followed from it, and what was seen."""

    number: int
    """Counts from 1 within a run, without gaps."""
    at_us: int
    decision: Decision
    phase: Phase
    step: int
    judgement: Judgement
    watermark_us: int | None
    revision: int
    policy: Policy
    """As it was then: a later revision has another one."""
