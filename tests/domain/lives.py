"""Runs at every turn of their lives, each one change away from the scene in which all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import Choice, Decide, Hold, MirrorStep, Version
from rollout.domain.verdict import Finding, Judgement, MirrorVerdict, Verdict
from rollout.domain.wish import Approval, Asked, Wish
from tests.domain.scenes import EXPERIMENT, FINDINGS, HOUR_US, NOW_US, SECOND_US, judgement

ANN: Final = Wish("ann", "the model card is wrong", NOW_US - SECOND_US)
ROLLS_BACK: Final = replace(
    EXPERIMENT,
    policy=replace(
        EXPERIMENT.policy,
        decide=Decide(
            inconclusive=Choice.ROLL_BACK,
            mismatch=Choice.ROLL_BACK,
            no_data_then=Choice.ROLL_BACK,
            mirror=Choice.ROLL_BACK,
        ),
    ),
)
STALE: Final = replace(judgement(), evidence_is_fresh=False)
MISMATCH: Final = replace(judgement(), split_holds=False)
NOT_LIVE: Final = replace(judgement(), traffic_is_live=False)
SHUT: Final = replace(judgement(), window_is_open=False)

GATED: Final = replace(EXPERIMENT, policy=replace(EXPERIMENT.policy, approvers=("leads",)))
APPROVED: Final = replace(GATED, approvals=(Approval("leads", "ann", "fine", NOW_US - HOUR_US),))
PROMOTING: Final = replace(EXPERIMENT, phase=Phase.PROMOTING, winner=1)
WATCHING: Final = replace(EXPERIMENT, phase=Phase.WATCHING, winner=1, watch_from_us=NOW_US - 60 * SECOND_US)
TWO: Final = replace(
    EXPERIMENT,
    policy=replace(
        EXPERIMENT.policy,
        candidates=(*EXPERIMENT.policy.candidates, Version("3.0.0", "http://127.0.0.1:8003")),
    ),
)
_MIRROR: Final = MirrorStep(1_000, Hold(for_s=1_800.0))
MIRRORING: Final = replace(EXPERIMENT, step=0, policy=replace(EXPERIMENT.policy, mirror_steps=(_MIRROR,)))
ONLY_MIRRORS: Final = replace(
    MIRRORING, policy=replace(MIRRORING.policy, mirror_steps=(_MIRROR, _MIRROR), steps=(), metrics=())
)


def old(experiment: Experiment) -> Experiment:
    """Return a run that is in its step for longer than the policy gives it."""
    return replace(experiment, step_entered_us=NOW_US - 15 * 24 * HOUR_US)


def silent(experiment: Experiment) -> Experiment:
    """Return a run whose evidence stayed away for long."""
    return replace(experiment, fresh_us=NOW_US - HOUR_US)


def phase(wanted: Phase) -> Experiment:
    """Return the run in another phase."""
    return replace(EXPERIMENT, phase=wanted)


def paused() -> Experiment:
    """Return a run that a person paused an hour ago."""
    return replace(EXPERIMENT, phase=Phase.PAUSED, paused_us=NOW_US - HOUR_US, is_paused_by_person=True)


def overdue() -> Experiment:
    """Return a run that the policy paused because its time was over."""
    return replace(old(EXPERIMENT), phase=Phase.PAUSED, paused_us=NOW_US - HOUR_US)


def wishing(experiment: Experiment, kind: Asked, *, group: str | None = None) -> Experiment:
    """Return a run of which a person wants something."""
    return replace(experiment, wish=Wish("ann", "because", NOW_US - SECOND_US, kind, group))


def two(
    first: Mapping[str, Finding] = {},
    second: Mapping[str, Finding] = {},
    bounds: tuple[float, float] = (0.0, 0.0),
) -> Judgement:
    """Return a look at two candidates of which everything is proven, but for what is named."""
    verdicts = (
        Verdict(name, finding, arm, bound=bound)
        for arm, changes, bound in ((1, first, bounds[0]), (2, second, bounds[1]))
        for name, finding in (FINDINGS | dict(changes)).items()
    )
    return replace(judgement(), verdicts=tuple(verdicts), units_in_step=(9_000, 9_000, 9_000))


def copies(number: int, *, is_failing: bool = False) -> MirrorVerdict:
    """Return what became of a shadow's copies."""
    return MirrorVerdict(1, number, 0, 9.0 if is_failing else 0.0, 8.0)


def mirrors(*found: MirrorVerdict) -> Judgement:
    """Return a look at shadows."""
    return replace(judgement(), verdicts=(), mirrors=found)
