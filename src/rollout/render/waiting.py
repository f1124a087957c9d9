"""What a run waits for, as sentences with their numbers: for `explain`, `status` and the report."""

from __future__ import annotations

import math
from typing import Final, assert_never

from rollout.domain.experiment import SECOND_US, Experiment, Phase
from rollout.domain.imbalance import Imbalance
from rollout.domain.policy import Choice, LocalCommand, Policy, WorkflowCall
from rollout.domain.waiting import Awaited, Deadline, Wait
from rollout.domain.written import duration, opening
from rollout.render.words import moment, span

_ODDS: Final = 1e-15
"""Below it a chance is not worth its digits."""


def sentence(wait: Wait, experiment: Experiment) -> str:  # noqa: C901, PLR0911, PLR0912 (one arm for each kind)
    """Return one thing that is waited for, with its numbers and without a point."""
    policy = experiment.policy
    match wait.what:
        case Awaited.DWELL:
            return _dwell(wait, experiment)
        case Awaited.UNITS:
            short = int((wait.need or 0) - (wait.have or 0))
            has = f"the one with fewest has {wait.have:,.0f}, {short:,} too few"
            return f"each arm needs {wait.need:,.0f} units in this step; {has}"
        case Awaited.COPIES:
            return f"copies must reach {_version(policy, wait.arm)}; none has in this step"
        case Awaited.EVIDENCE:
            held = "" if wait.about is None else f": {wait.about}"
            return f"the evidence must reach into this step, and be no older than the policy allows{held}"
        case Awaited.METRIC:
            return f"{wait.about} should be known by now, and was not measured"
        case Awaited.OUTAGE:
            return f"baseline and candidate break {wait.about} together: they must recover"
        case Awaited.SPLIT:
            return "units must fall to the arms as the policy splits them, and do not"
        case Awaited.PROOF:
            return f"{_of(policy, wait)} must be proven; its proof is at {_part(wait)} of its bar"
        case Awaited.APPROVAL:
            return f"people must approve: {wait.about}"
        case Awaited.PROXIES:
            return "every proxy must confirm the present split"
        case Awaited.HOURS:
            hours = "" if policy.advance is None else f" {opening(policy.advance)}"
            opens = "" if wait.earliest_us is None else f", next at {moment(wait.earliest_us)}"
            return f"traffic moves up only{hours}{opens}"
        case Awaited.ACTION:
            return f"the action must end ({wait.about}){_limit(policy, wait)}"
        case Awaited.PERSON:
            return f"a person must decide: rollout {wait.about} {policy.name}, or rollback"
        case _:
            assert_never(wait.what)


def patience(deadline: Deadline) -> str:
    """Return when the policy's patience ends, and what it does then."""
    does = "rolls back" if deadline.then is Choice.ROLL_BACK else "pauses"
    left = span(0, deadline.left_us)
    if deadline.at_us is None:
        return f"{deadline.key}: {left} are left, and do not run while a person's pause lasts; then it {does}"
    if not deadline.left_us:
        return f"{deadline.key} is over: it {does} at the next look"
    return f"{deadline.key} ends at {moment(deadline.at_us)}, in {left}; without an answer by then it {does}"


def account(found: Imbalance, versions: tuple[str, ...]) -> list[str]:
    """Return how a broken split looks, arm by arm, and how sure that is."""
    lines = [
        f"{_arm(number, versions)}: {units:,} units, expected {planned:,.0f} ({_off(units, planned)})"
        for number, (units, planned) in enumerate(found.pairs)
    ]
    chance = f"p = {found.p_value:.2g}" if found.p_value > _ODDS else f"p < {_ODDS:g}"
    means = "the chance that a good split ever looks so bad, at any of all looks"
    return [*lines, f"{chance}: {means}; a run is held below p = {_level(found):g}"]


def _dwell(wait: Wait, experiment: Experiment) -> str:
    spent, needed = span(0, int(wait.have or 0)), duration((wait.need or 0) / SECOND_US)
    what = "the watch lasts" if experiment.phase is Phase.WATCHING else "the step lasts"
    ends = ", and nothing counts while it is paused"
    if wait.earliest_us is not None:
        ends = f", so it can be over at {moment(wait.earliest_us)} at the earliest"
    return f"{what} {needed} of unpaused time with fresh evidence; {spent} have counted{ends}"


def _limit(policy: Policy, wait: Wait) -> str:
    """Return how long an action may take, where there is one."""
    is_promotion = (wait.about or "").startswith("promote")
    match policy.actions.promote if is_promotion else policy.actions.rollback:
        case LocalCommand(deadline_s=limit_s) | WorkflowCall(deadline_s=limit_s):
            return f"; past {duration(limit_s)} it counts as failed"
        case None:
            return ""


def _of(policy: Policy, wait: Wait) -> str:
    one = len(policy.candidates) == 1
    return f"{wait.about}" if one else f"{wait.about} of {_version(policy, wait.arm)}"


def _version(policy: Policy, arm: int | None) -> str:
    return policy.candidates[(arm or 1) - 1].version


def _part(wait: Wait) -> str:
    """Write how far a proof is; never 100% before it is whole."""
    need = wait.need or 0.0
    part = max(wait.have or 0.0, 0.0) / need if need > 0 else 0.0
    return f"{min(int(part * 100), 100)}%"


def _arm(number: int, versions: tuple[str, ...]) -> str:
    return f"control {versions[0]}" if number == 0 else f"candidate {versions[number]}"


def _off(units: int, planned: float) -> str:
    if not planned:
        return "none"
    return f"{(units / planned - 1.0) * 100:+.1f}%"


def _level(found: Imbalance) -> float:
    return round(math.exp(-found.bar), 9)
