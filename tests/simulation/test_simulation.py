"""The whole loop under seeded faults: every run ends as its evidence says, each decision and action once."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from rollout.controller.looks import Album
from rollout.controller.loop import Clock, Loop
from rollout.controller.pace import Pace
from rollout.controller.reconcile import ZERO_WITHIN_US, Point, Reconciler, World
from rollout.domain.assignment import Split
from rollout.domain.decision import Action, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.wish import Wish
from tests.domain.scenes import NOW_US, SECOND_US
from tests.replaying import assert_all_agree
from tests.simulation.fakes import Inline, MemoryLedger
from tests.simulation.weather import Crash, StormyEvidence, StormyJobs, StormyTraffic, Weather, policy

ENDS_AS = {
    "better": Phase.PROMOTED,
    "broken": Phase.ROLLED_BACK,
    "unlucky": Phase.ACTION_FAILED,
    "unwanted": Phase.ROLLED_BACK,
    "late": Phase.ROLLED_BACK,
    "regretted": Phase.ROLLED_BACK,
}
ENDS_BY = {
    Phase.PROMOTED: Reason.WATCH_PASSED,
    Phase.ROLLED_BACK: Reason.ROLLBACK_DONE,
    Phase.ACTION_FAILED: Reason.PROMOTION_FAILED,
}
PROMOTE = {"unlucky": "false", "late": "sleep"}


class Life:
    """One seed: a world that outlasts the processes that are cut off in it."""

    def __init__(self, seed: int) -> None:
        self.weather = Weather(random.Random(seed))  # noqa: S311 (a simulation is drawn again from its seed)
        self.crashes: Counter[str] = Counter()
        chance = self.weather.chance
        self.ledger = MemoryLedger()
        self.traffic = StormyTraffic(self.weather)
        self.jobs = StormyJobs(self.weather, self.traffic)
        broken_from = {"broken": NOW_US + chance.randint(0, 7) * SECOND_US, "late": NOW_US + 40 * SECOND_US}
        self.evidence = StormyEvidence(self.weather, broken_from, slow_when_watched="regretted")
        self.wished_us = NOW_US + chance.randint(1, 7) * SECOND_US
        for name in ENDS_AS:
            self.ledger.start(policy(name, PROMOTE.get(name, "true")), NOW_US)
        self.loop = self.new_process()

    def new_process(self) -> Loop:
        world = World(self.ledger, self.evidence, self.traffic, self.jobs)
        reconciler = Reconciler(world, album=Album(least_s=10.0), passing=self.weather.passing)
        clock = Clock(lambda: self.weather.now_us / 1e6, lambda: self.weather.now_us)
        chance, pace = self.weather.chance.random, Pace(ended_s=5.0)
        return Loop(self.ledger, reconciler.tick, pace=pace, clock=clock, chance=chance, workers=Inline())

    def live(self, *, until_us: int) -> None:
        while self.weather.now_us < until_us:
            try:
                pause_s = self.loop.turn()
            except Crash as crash:
                self.crashes[str(crash)] += 1
                self.loop = self.new_process()
                pause_s = 0.5
            self.weather.now_us += max(round(pause_s * 1e6), 1_000)
            if self.weather.now_us >= self.wished_us:
                self.wish()

    def wish(self) -> None:
        seen = next(run for run in self.ledger.runs() if run.experiment.policy.name == "unwanted")
        if seen.experiment.phase is Phase.RUNNING and seen.experiment.rollback_wish is None:
            wish = Wish("ann", "the model card is wrong", self.weather.now_us)
            assert self.ledger.record(seen, replace(seen.experiment, rollback_wish=wish), None)

    def runs(self) -> dict[str, Experiment]:
        return {run.experiment.policy.name: run.experiment for run in self.ledger.runs()}


@pytest.mark.parametrize("seed", range(16))
def test_every_seed_converges(seed: int) -> None:
    life = Life(seed)
    life.live(until_us=life.weather.calm_us + 45 * SECOND_US)
    runs = life.runs()
    assert {name: run.phase for name, run in runs.items()} == ENDS_AS
    for run in runs.values():
        entries = life.ledger.history(run.uid)
        each_is_decided_once(entries, run.phase)
        splits_follow_what_is_recorded(life, run, entries)
        assert_all_agree(life.ledger, run.uid)
    ends = [(name, "rollback" if run.phase is Phase.ROLLED_BACK else "promote") for name, run in runs.items()]
    undone = [("late", "promote"), ("regretted", "promote")]
    wanted = [f"ro-{name}-{runs[name].uid}-candidate1-{end}-1" for name, end in [*ends, *undone]]
    assert Counter(life.jobs.begun) == Counter(wanted)


def each_is_decided_once(entries: tuple[Entry, ...], phase: Phase) -> None:
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    actions = Counter(entry.decision.action for entry in entries)
    assert actions[Action.PROMOTE] == (Phase.PROMOTING in {entry.phase for entry in entries})
    assert actions[Action.ROLL_BACK] == (phase is Phase.ROLLED_BACK)
    settled = [entry.decision.reason for entry in entries if entry.decision.action is Action.SETTLE]
    was_promoted = Phase.WATCHING in {entry.phase for entry in entries}
    assert settled == ([Reason.PROMOTION_DONE] if was_promoted else []) + [ENDS_BY[phase]]
    assert actions[Action.ADVANCE] == max(entry.step for entry in entries)


def splits_follow_what_is_recorded(life: Life, run: Experiment, entries: tuple[Entry, ...]) -> None:
    """Traffic never goes up again after a rollback, nor to everybody before a promotion is done."""
    splits = [
        placement.split
        for publication in life.traffic.publications
        for placement in publication
        if placement.policy == run.policy
    ]
    assert [split.steps_on for split in splits if split.steps_on] == sorted(
        split.steps_on for split in splits if split.steps_on
    )
    reasons = [entry.decision.reason for entry in entries]
    is_promoted = run.phase is Phase.PROMOTED
    assert (splits[-1].is_promoted, splits[-1].is_released) == (is_promoted, is_promoted)
    # A promotion that was taken back before any proxy could follow it was never seen in the splits.
    was_published = any(split.is_promoted for split in splits)
    assert was_published <= (Reason.PROMOTION_DONE in reasons)
    assert was_published or Reason.PROMOTION_DONE not in reasons or run.phase is Phase.ROLLED_BACK
    if run.phase is Phase.ROLLED_BACK:
        assert Reason.ROLLBACK_DONE in reasons
        assert set(splits[splits.index(Split()) :]) == {Split()}


@pytest.mark.parametrize("seed", range(100, 108))
def test_a_rollback_takes_traffic_away_before_it_acts_and_never_beside_a_promotion(seed: int) -> None:
    life = Life(seed)
    life.weather.calm_us = NOW_US + 25 * SECOND_US
    life.live(until_us=NOW_US + 60 * SECOND_US)
    for name in ("broken", "unwanted", "late", "regretted"):
        run = life.runs()[name]
        (job,) = [job for job in life.jobs.begun if run.uid in job and "-rollback-" in job]
        assert not life.jobs.ran_beside[job]
        if life.jobs.weights_at_rollback[job]:
            waited_us = life.jobs.begun_us[job] - decided_us(life.ledger.history(run.uid))
            assert waited_us >= ZERO_WITHIN_US


def decided_us(entries: tuple[Entry, ...]) -> int:
    return next(entry.at_us for entry in entries if entry.decision.action is Action.ROLL_BACK)


def test_the_simulation_is_cut_off_at_every_point() -> None:
    points: Counter[str] = Counter()
    for seed in range(200, 206):
        life = Life(seed)
        life.live(until_us=NOW_US + 45 * SECOND_US)
        points += life.crashes
    assert set(points) == set(Point)


def test_a_life_is_drawn_again_from_its_seed() -> None:
    lives = [Life(7), Life(7)]
    for life in lives:
        life.live(until_us=NOW_US + 20 * SECOND_US)
    first, second = ([life.ledger.history(run.uid) for run in life.runs().values()] for life in lives)
    assert first == second
