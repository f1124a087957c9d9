"""Where a run stands: recorded state, from which everything that should be true can be derived again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rollout.domain.assignment import Placement, Split
from rollout.domain.buckets import Range
from rollout.domain.policy import MirrorStep, Policy, Step, Version
from rollout.domain.wish import Approval, Wish

SECOND_US: Final = 1_000_000
GAP_US: Final = 60 * SECOND_US
"""Evidence that was away for less has not been away: so old may fresh evidence be, and looks so far apart."""


class Phase(StrEnum):
    """Where a run stands, in one word."""

    RUNNING = "running"
    PAUSED = "paused"
    AWAITING_APPROVAL = "awaiting-approval"
    PROMOTING = "promoting"
    WATCHING = "watching"
    PROMOTED = "promoted"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"
    STOPPED = "stopped"
    RETIRED = "retired"
    ACTION_FAILED = "action-failed"


ENDED = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.STOPPED, Phase.RETIRED})
"""Phases in which nothing is decided any more, but that the route is retired."""


class JobState(StrEnum):
    """What is known of an action that was started."""

    RUNNING = "running"
    WAITING = "waiting"
    """It goes on when a person lets it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LATE = "late"
    """It did not end within its deadline, so it was told to stop and has failed."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One revision of one policy's run; times are microseconds since the epoch."""

    uid: str
    policy: Policy
    revision: int
    phase: Phase
    step: int
    """Counts the policy's stages from 0: mirror steps first, then weights."""
    started_us: int
    step_entered_us: int
    fresh_us: int
    """When evidence was last fresh and complete, or was waited for anew."""
    rollback_failed: bool = False
    """Whether the action that failed was a rollback's: then traffic stays at zero."""
    was_late: bool = False
    """Whether the action that failed was ended for its deadline's sake."""
    rollback_wish: Wish | None = None
    latches: Mapping[str, float] = field(default_factory=dict)
    stopped: Mapping[int, int] = field(default_factory=dict)
    """Candidates that are stopped, counted from 1, and since when: their units are left out from then on."""
    winner: int | None = None
    """The candidate that was proven, from the promote decision on."""
    watch_from_us: int | None = None
    """When all traffic went to the winner: the watch's evidence begins here."""
    wish: Wish | None = None
    """What else a person asked for, until a decision has answered it."""
    approvals: tuple[Approval, ...] = ()
    """Who approved of a promotion in this step of this revision."""
    proposed: int | None = None
    """The candidate of which people are asked whether they approve, since it was proven."""
    paused_us: int | None = None
    """Since when it is paused."""
    is_paused_by_person: bool = False
    """Whether a person paused it: then its deadline waits too."""
    idle_us: int = 0
    """How long this step, or the watch, was paused or without fresh evidence: its dwell leaves that out."""
    excused_us: int = 0
    """How much of this step its deadline leaves out: a person's pauses, and what a person gave it anew."""
    balanced_us: int | None = None
    """When a person cleared a mismatch: units that joined before say nothing about the split any more."""
    promote_attempt: int = 1
    """Counts how often the promote action was wanted; every attempt is a job of its own."""
    rollback_attempt: int = 1
    action_from_us: int | None = None
    """Since when the present action is wanted: its waits and its deadline are bounded from there."""
    layer_range: Range | None = None
    """The buckets of its layer that are its own until its end; without a layer it needs none."""

    @property
    def current_step(self) -> MirrorStep | Step:
        """The step that the run is in."""
        mirrors = self.policy.mirror_steps
        return mirrors[self.step] if self.step < len(mirrors) else self.policy.steps[self.step - len(mirrors)]

    @property
    def is_last_step(self) -> bool:
        """Whether no step follows."""
        return self.step + 1 == len(self.policy.mirror_steps) + len(self.policy.steps)

    @property
    def weight_step(self) -> int:
        """How many weight steps have come so far; none while only copies are sent."""
        return max(self.step + 1 - len(self.policy.mirror_steps), 0)

    @property
    def active_arms(self) -> tuple[int, ...]:
        """The candidates that are still judged and have traffic; after the proof the winner alone."""
        arms = range(1, 1 + len(self.policy.candidates)) if self.winner is None else (self.winner,)
        return tuple([arm for arm in arms if arm not in self.stopped]) if self.stopped else tuple(arms)

    def approved_for(self, arm: int | None) -> frozenset[str]:
        """Return the groups that approve of a candidate; what an older program noted names none."""
        return frozenset(one.group for one in self.approvals if one.arm is None or one.arm == arm)

    @property
    def clock_us(self) -> int:
        """When what is timed now began: the watch, or the step."""
        if self.phase is Phase.WATCHING and self.watch_from_us is not None:
            return self.watch_from_us
        return self.step_entered_us

    @property
    def settled_version(self) -> Version:
        """The version that the route serves to everybody once nothing is tried."""
        is_promoted = self.phase in {Phase.WATCHING, Phase.PROMOTED}
        return self.policy.candidates[(self.winner or 1) - 1] if is_promoted else self.policy.baseline

    def gap_us(self, now_us: int) -> int:
        """Return how long evidence has been away, if that is worth counting."""
        away_us = now_us - max(self.fresh_us, self.clock_us)
        return away_us if away_us > GAP_US else 0

    def dwelt_us(self, now_us: int) -> int:
        """Return how long the step, or the watch, has lasted, unpaused and with fresh evidence."""
        return now_us - self.clock_us - self.idle_us - self.gap_us(now_us)

    def is_overdue(self, now_us: int) -> bool:
        """Return whether the step has had all the time that the policy gives it."""
        at_most_s = self.current_step.hold.at_most_s
        if at_most_s is None:
            return False
        until_us = self.paused_us if self.is_paused_by_person and self.paused_us is not None else now_us
        return until_us - self.step_entered_us - self.excused_us >= at_most_s * SECOND_US


def placement_of(experiment: Experiment) -> Placement:
    """Return what the data plane should know of a run."""
    run = experiment
    return Placement(run.policy, run.revision, split_of(run), run.layer_range)


def split_of(experiment: Experiment) -> Split:
    """Return the traffic that recorded state asks for; every tick derives it anew."""
    match experiment.phase:
        case Phase.RUNNING | Phase.PAUSED | Phase.AWAITING_APPROVAL | Phase.PROMOTING:
            return _on_trial(experiment)
        case Phase.WATCHING:
            return Split(is_promoted=True, winner=experiment.winner or 1)
        case Phase.PROMOTED:
            return Split(is_promoted=True, winner=experiment.winner or 1, is_released=True)
        case Phase.ACTION_FAILED:
            return Split() if experiment.rollback_failed else _on_trial(experiment)
        case Phase.ROLLING_BACK | Phase.ROLLED_BACK | Phase.STOPPED | Phase.RETIRED:
            return Split()


def _on_trial(experiment: Experiment) -> Split:
    """Return the present step's weights; who is no longer judged has none."""
    is_mirrored = experiment.step < len(experiment.policy.mirror_steps)
    return Split(
        steps_on=experiment.weight_step,
        stopped=frozenset(range(1, experiment.policy.arms)).difference(experiment.active_arms),
        mirror_on=experiment.step + 1 if is_mirrored else 0,
    )
