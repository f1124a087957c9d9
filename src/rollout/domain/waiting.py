"""What a run waits for, how far that is, and when it can be over: read off the state, decided nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rollout.domain import proof
from rollout.domain.experiment import ENDED, SECOND_US, Experiment, Phase
from rollout.domain.policy import Choice, LocalCommand, MirrorStep, WorkflowCall
from rollout.domain.verdict import Judgement, Verdict


class Awaited(StrEnum):
    """What can be waited for."""

    DWELL = "dwell"
    UNITS = "units"
    COPIES = "copies"
    EVIDENCE = "evidence"
    METRIC = "metric"
    """A metric that should be known by now, and is not."""
    OUTAGE = "outage"
    SPLIT = "split"
    PROOF = "proof"
    APPROVAL = "approval"
    PROXIES = "proxies"
    HOURS = "hours"
    ACTION = "action"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that stands in the way; what is not known, or does not apply, is None."""

    what: Awaited
    have: float | None = None
    """Of `need`: microseconds of a dwell, units of the arm that has fewest, a proof's log e."""
    need: float | None = None
    earliest_us: int | None = None
    """When it can be over, at the earliest, if all goes well from now on."""
    about: str | None = None
    """The metric, the groups, the action or the verb that it speaks of."""
    arm: int | None = None
    """Which candidate, counted from 1, where it is one's own."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the policy's patience ends, and what it does then."""

    left_us: int
    at_us: int | None
    """None while a person's pause stops the clock."""
    then: Choice
    key: str
    """The key of the policy that says so."""


def waits(
    experiment: Experiment, judgement: Judgement | None, now_us: int, opens_us: int | None = None
) -> tuple[Wait, ...]:
    """Return everything that must still happen before the next move up, the first obstacle first.

    `opens_us` is when the policy's hours open next, if they are closed now. Without a look there is nothing
    to say of evidence.
    """
    if experiment.phase in ENDED:
        return ()
    if experiment.rollback_failed or experiment.phase is Phase.ACTION_FAILED:
        return (Wait(Awaited.PERSON, about="retry"),)
    found = _standing(experiment, now_us)
    if experiment.phase in {Phase.ROLLING_BACK, Phase.PROMOTING}:
        return tuple(found)
    if judgement is not None:
        found += [*_trust(experiment, judgement), *_step(experiment, judgement, now_us)]
        if not judgement.traffic_is_live:
            found.append(Wait(Awaited.PROXIES))
        if not judgement.window_is_open:
            found.append(Wait(Awaited.HOURS, earliest_us=opens_us))
    return tuple(found)


def deadlines(experiment: Experiment, judgement: Judgement | None, now_us: int) -> tuple[Deadline, ...]:
    """Return when the policy's patience ends for the step, and for evidence that is away."""
    if experiment.phase not in {Phase.RUNNING, Phase.PAUSED}:
        return ()
    found = []
    at_most_s, wanted = experiment.current_step.hold.at_most_s, experiment.policy.decide
    if at_most_s is not None:
        is_still = experiment.is_paused_by_person and experiment.paused_us is not None
        until_us = (experiment.paused_us or now_us) if is_still else now_us
        spent_us = until_us - experiment.step_entered_us - experiment.excused_us
        left_us = max(int(at_most_s * SECOND_US) - spent_us, 0)
        at_us = None if is_still else until_us + left_us
        found.append(Deadline(left_us, at_us, wanted.inconclusive, "hold.atMost"))
    is_away = judgement is not None and not proof.is_complete(experiment, judgement)
    if is_away and experiment.phase is Phase.RUNNING:
        left_us = max(int(wanted.no_data_hold_s * SECOND_US) - (now_us - experiment.fresh_us), 0)
        found.append(Deadline(left_us, now_us + left_us, wanted.no_data_then, "decide.noData"))
    return tuple(found)


def _standing(experiment: Experiment, now_us: int) -> list[Wait]:
    """Return what a phase by itself waits for."""
    match experiment.phase:
        case Phase.PAUSED:
            return [Wait(Awaited.PERSON, about="resume")]
        case Phase.ROLLING_BACK:
            return [Wait(Awaited.ACTION, about=_named(experiment, "rollback"))]
        case Phase.PROMOTING:
            return [Wait(Awaited.ACTION, about=_named(experiment, "promote"))]
        case Phase.WATCHING:
            return [_dwell(experiment, experiment.policy.watch_s, now_us)]
        case _:
            return []


def _named(experiment: Experiment, purpose: str) -> str:
    """Return an action as its policy writes it, or its purpose where there is none."""
    actions = experiment.policy.actions
    match actions.promote if purpose == "promote" else actions.rollback:
        case LocalCommand(command=command):
            return f"{purpose}: {' '.join(command)}"
        case WorkflowCall(template=template):
            return f"{purpose}: {template}"
        case None:
            return purpose


def _trust(experiment: Experiment, judgement: Judgement) -> Iterator[Wait]:
    """Yield why this look cannot be trusted."""
    if not judgement.split_holds:
        yield Wait(Awaited.SPLIT)
    if (missing := proof.missing(experiment, judgement)) is not None:
        yield Wait(Awaited.METRIC, about=missing)
    if not judgement.evidence_is_fresh:
        yield Wait(Awaited.EVIDENCE, about=judgement.held_by)
    if (outage := proof.outage(experiment, judgement)) is not None:
        yield Wait(Awaited.OUTAGE, about=outage.metric, arm=outage.arm)


def _step(experiment: Experiment, judgement: Judgement, now_us: int) -> Iterator[Wait]:
    """Yield what the present step, and after the last one the promotion, still lacks."""
    if experiment.phase is Phase.WATCHING:
        return
    hold = experiment.current_step.hold
    if isinstance(experiment.current_step, MirrorStep):
        delivered = {shadow.arm for shadow in judgement.mirrors if shadow.is_delivered}
        yield from (Wait(Awaited.COPIES, arm=arm) for arm in experiment.active_arms if arm not in delivered)
    dwell = _dwell(experiment, hold.for_s, now_us)
    if hold.for_s and (dwell.have or 0.0) < (dwell.need or 0.0):
        yield dwell
    units = judgement.units_in_step
    fewest = min((units[arm] if arm < len(units) else 0) for arm in (0, *experiment.active_arms))
    if fewest < hold.min_units:
        yield Wait(Awaited.UNITS, fewest, hold.min_units)
    if experiment.is_last_step and not isinstance(experiment.current_step, MirrorStep):
        yield from _proofs(experiment, judgement)
        approved = {approval.group for approval in experiment.approvals}
        if lacking := [group for group in experiment.policy.approvers if group not in approved]:
            yield Wait(Awaited.APPROVAL, about=" and ".join(lacking))


def _dwell(experiment: Experiment, needed_s: float, now_us: int) -> Wait:
    """Return how long has counted; nothing counts while a run is paused."""
    needed_us = int(needed_s * SECOND_US)
    paused_us = experiment.paused_us
    # A pause has counted already for how long evidence was away before it.
    lasted_us = (
        experiment.dwelt_us(now_us)
        if paused_us is None
        else paused_us - experiment.clock_us - experiment.idle_us
    )
    dwelt_us = min(max(lasted_us, 0), needed_us)
    ends_us = now_us + needed_us - dwelt_us if paused_us is None else None
    return Wait(Awaited.DWELL, dwelt_us, needed_us, ends_us)


def _proofs(experiment: Experiment, judgement: Judgement) -> Iterator[Wait]:
    """Yield what is not proven: of several candidates, one that has all suffices."""
    active = [arm for arm in experiment.active_arms if arm in judgement.arms]
    if set(judgement.proven_arms).intersection(active):
        return
    for arm in active:
        yield from (_proof(one) for one in judgement.for_arm(arm) if not one.allows_promotion)


def _proof(verdict: Verdict) -> Wait:
    arm = verdict.arm
    return Wait(Awaited.PROOF, verdict.latched_proof, verdict.proof_bar, about=verdict.metric, arm=arm)
