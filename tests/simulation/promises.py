"""The promises that are checked: in plain words, and computed without asking what made the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rollout.domain.assignment import Placement, Split
from rollout.domain.experiment import Experiment, Phase, placement_of
from rollout.domain.history import Entry
from tests.domain.scenes import SECOND_US
from tests.simulation.story import Broken
from tests.simulation.truth import Handed, Kind

STALE_S: Final = 15.0
ON_TRIAL: Final = frozenset({Phase.RUNNING, Phase.PAUSED, Phase.AWAITING_APPROVAL, Phase.PROMOTING})
MAY_RAISE: Final = frozenset(
    {
        "STEP_PASSED",
        "PERSON_ADVANCES",
        "GOAL_PROVEN",
        "PERSON_PROMOTES",
        "PROMOTION_DONE",
        "WATCH_PASSED",
    }
)
"""Decisions after which more traffic may go to a candidate, written down once more on purpose."""
OVERRULES: Final = frozenset({"PERSON_ADVANCES", "PERSON_PROMOTES"})
HARM: Final[Mapping[str, frozenset[Kind]]] = {
    "METRIC_HARMED": frozenset({Kind.BROKEN}),
    "LIMIT_VIOLATED": frozenset({Kind.SLOW}),
    "WATCH_VIOLATED": frozenset({Kind.SLOW}),
    "ARM_HARMED": frozenset({Kind.BROKEN}),
    "ARM_VIOLATES_LIMIT": frozenset({Kind.SLOW}),
}


def require(holds: object, promise: str, *about: object) -> None:
    """Raise `Broken` unless a promise holds."""
    if not holds:
        raise Broken(f"{promise}: {' '.join(map(str, about))}")


def shares(experiment: Experiment) -> tuple[int, ...]:
    """Return how much traffic recorded state gives to each candidate."""
    split, policy = placement_of(experiment).split, experiment.policy
    if split.is_promoted:
        whole = 10_001 if split.is_released else 10_000
        return tuple(whole if arm == split.winner else 0 for arm in range(1, policy.arms))
    weight = policy.steps[split.steps_on - 1].weight_bp if split.steps_on else 0
    return tuple(0 if arm in split.stopped else weight for arm in range(1, policy.arms))


def require_grounds(look: Handed | None, before: Experiment, entry: Entry) -> None:
    """Require evidence that is fresh and whole, or a person who overruled with a reason."""
    wish = entry.decision.wish
    if entry.decision.reason.name in OVERRULES:
        require(
            wish is not None and wish.who and wish.why,
            "an override has a person and a reason",
            before.uid,
        )
        return
    require(look is not None, "absent evidence never moves traffic up", before.uid)
    assert look is not None
    mirrors_only = before.step < len(before.policy.mirror_steps)
    needs_all = not mirrors_only and before.phase is not Phase.WATCHING
    unknown = [arm for arm in before.active_arms if look.kinds and look.kinds[arm - 1] is Kind.UNKNOWN]
    has_marks = None not in {look.evidence.watermark_us, look.evidence.fast_watermark_us}
    is_whole = look.kinds and has_marks and (not needs_all or (look.is_whole and not unknown))
    require(is_whole, "absent evidence never moves traffic up", before.uid, entry.decision.reason.name)
    require(
        look.split_holds or before.phase in {Phase.PROMOTING, Phase.WATCHING},
        "a broken split moves nothing up",
        before.uid,
    )
    for mark_us in (look.evidence.watermark_us, look.evidence.fast_watermark_us):
        assert mark_us is not None
        age_s = (entry.at_us - mark_us) / SECOND_US
        require(abs(age_s) <= STALE_S, "stale evidence never moves traffic up", before.uid, f"{age_s:.1f} s")
        require(mark_us >= before.clock_us, "evidence of an earlier step never moves traffic up", before.uid)
    armed = {Kind.SLOW} if before.phase is Phase.WATCHING else {Kind.SLOW, Kind.BROKEN}
    harmed = [arm for arm in before.active_arms if look.kinds[arm - 1] in armed]
    require(not harmed, "harm never gets more traffic", before.uid, harmed)


def key_of(placement: Placement) -> tuple[object, ...]:
    """Return what placements of one policy differ in, in these worlds."""
    policy = placement.policy
    own = (policy.owner, policy.holdout_bp, policy.baseline.version)
    return (placement.revision, placement.split, *own)


def in_words(split: Split) -> str:
    """Return a split as a story tells it."""
    if split.is_promoted:
        return "released" if split.is_released else "promoted"
    return f"step {split.steps_on}" + "".join(f" without {arm}" for arm in sorted(split.stopped))
