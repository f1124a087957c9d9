"""Looks at which a decision could only be to hold: nothing harmed, missing, proven, or due by the clock."""

from __future__ import annotations

from rollout.domain.experiment import SECOND_US, Experiment, Phase
from rollout.domain.verdict import Finding, Judgement

_LOUD = frozenset({Finding.HARMED, Finding.MISSING})


def wakes_us(life: Experiment) -> int:
    """Return from when on a look must be decided whatever it shows: the step's time or deadline is over.

    Time without evidence only makes a step longer, so this holds until the next decision.
    """
    if life.phase is not Phase.RUNNING or life.wish is not None:
        return 0
    hold = life.current_step.hold
    ends = []
    if hold.at_most_s is not None:
        ends.append(life.step_entered_us + life.excused_us + hold.at_most_s * SECOND_US)
    if not life.is_last_step or not life.policy.steps:
        ends.append(life.step_entered_us + life.idle_us + hold.for_s * SECOND_US)
    return int(min(ends, default=0))


def is_quiet(judgement: Judgement, arms: int) -> bool:
    """Return whether a look is trusted and complete, and shows neither harm nor a whole proof.

    Before a step's time is over, and in the last step, `decide` then holds, and `evolve` only latches.
    """
    if not (judgement.split_holds and judgement.evidence_is_fresh) or judgement.mirrors:
        return False
    unproven = set()
    for verdict in judgement.verdicts:
        if verdict.finding in _LOUD or verdict.is_outage:
            return False
        if not verdict.allows_promotion:
            unproven.add(verdict.arm)
    return len(unproven) == arms
