"""What happens next to a run, as far as it can be known now: its shape for the client."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from rollout.api.shapes import candidate, moment, seen_answer
from rollout.client.answers import LookAnswer
from rollout.client.waiting import (
    ArmUnitsAnswer,
    DeadlineAnswer,
    ImbalanceAnswer,
    OutlookAnswer,
    WaitAnswer,
)
from rollout.controller.sights import Sight
from rollout.controller.zones import offset_s
from rollout.domain.advice import advice
from rollout.domain.experiment import SECOND_US, Experiment
from rollout.domain.imbalance import causes, imbalance
from rollout.domain.opening import next_open
from rollout.domain.policy import Policy
from rollout.domain.verdict import Judgement
from rollout.domain.waiting import Awaited, Deadline, Wait, deadlines, waits
from rollout.errors import Stop
from rollout.ports import Standing
from rollout.render.waiting import account, patience, sentence

_UNITS: Final = {Awaited.DWELL: "s", Awaited.UNITS: "units", Awaited.PROOF: "log e"}


def outlook(run: Standing, sight: Sight | None, now_us: int, *, is_live: bool) -> OutlookAnswer:
    """Return what a run waits for by its newest look; `is_live` is whether all proxies have its split now."""
    experiment, last = run.experiment, run.last
    opens_us = _opens_us(experiment, now_us)
    judgement = sight.judgement if sight is not None else None if last is None else last.judgement
    if judgement is not None:
        is_open = experiment.policy.advance is None or opens_us == now_us
        judgement = replace(judgement, traffic_is_live=is_live, window_is_open=is_open)
    named = experiment.policy.name
    return OutlookAnswer(
        at=moment(now_us),
        waits=tuple(_wait(one, experiment) for one in waits(experiment, judgement, now_us, opens_us)),
        deadlines=tuple(_deadline(one) for one in deadlines(experiment, judgement, now_us)),
        advice=None if last is None else advice(last.decision.reason, named),
        imbalance=_imbalance(experiment, judgement, sight),
    )


def newest_look(sight: Sight) -> LookAnswer:
    """Say what the newest look saw, whether or not it was recorded."""
    mark = sight.evidence.watermark_us
    return seen_answer(
        sight.experiment.policy, sight.judgement, sight.at_us, None if mark is None else int(mark)
    )


def broken_split(sight: Sight | None) -> tuple[str, ...]:
    """Say in a sentence how units fall to the arms, where they do not fall as split."""
    if sight is None or sight.judgement.split_holds:
        return ()
    policy, log_e = sight.experiment.policy, sight.judgement.log_e_mismatch
    lines = account(imbalance(policy, sight.evidence, log_e), _versions(policy))
    return (f"the split is broken: {'; '.join(lines)}",)


def _versions(policy: Policy) -> tuple[str, ...]:
    return (policy.baseline.version, *(one.version for one in policy.candidates))


def _opens_us(experiment: Experiment, now_us: int) -> int | None:
    """Return when the policy's hours are open next; nobody knows where its zone is not known."""
    opening = experiment.policy.advance
    if opening is None:
        return None
    try:
        return next_open(opening, now_us, partial(offset_s, opening.zone))
    except Stop:
        return None


def _wait(wait: Wait, experiment: Experiment) -> WaitAnswer:
    scale = SECOND_US if wait.what is Awaited.DWELL else 1
    return WaitAnswer(
        what=wait.what.value,
        sentence=sentence(wait, experiment),
        have=None if wait.have is None else wait.have / scale,
        need=None if wait.need is None else wait.need / scale,
        unit=_UNITS.get(wait.what),
        earliest=None if wait.earliest_us is None else moment(wait.earliest_us),
        about=wait.about,
        candidate=candidate(experiment.policy, wait.arm),
    )


def _deadline(found: Deadline) -> DeadlineAnswer:
    return DeadlineAnswer(
        key=found.key,
        left_s=found.left_us / SECOND_US,
        at=None if found.at_us is None else moment(found.at_us),
        then=found.then.value,
        sentence=patience(found),
    )


def _imbalance(
    experiment: Experiment, judgement: Judgement | None, sight: Sight | None
) -> ImbalanceAnswer | None:
    """Return the split as it is, where it is broken and a look says how."""
    if judgement is None or sight is None or judgement.split_holds:
        return None
    policy = experiment.policy
    found = imbalance(policy, sight.evidence, judgement.log_e_mismatch)
    versions = _versions(policy)
    return ImbalanceAnswer(
        arms=tuple(
            ArmUnitsAnswer(version=version, units=units, expected=expected)
            for version, (units, expected) in zip(versions, found.pairs, strict=True)
        ),
        p_value=found.p_value,
        log_e=found.log_e,
        bar=found.bar,
        sentences=tuple(account(found, versions)),
        causes=causes(found, policy),
    )
