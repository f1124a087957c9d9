"""Two hundred A/A experiments: no more promotions and rollbacks than the policy's risk allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from scipy import stats

from rollout.domain.decision import Reason
from rollout.domain.experiment import Phase
from rollout.domain.policy import Risk
from rollout.stats import balance
from tests.pipeline import recount
from tests.pipeline.chain import Chain, built
from tests.pipeline.families import BETTER, FAILING, NOISY, QUIET, Family
from tests.pipeline.lives import Life
from tests.pipeline.play import BEGIN_US, Ending, Played, lives_of, play

SURPRISE: Final = 0.001
"""How rarely a pipeline that just keeps its promise may have more wrong decisions than are allowed here."""
PROMISED: Final = Risk()
POWER: Final = 0.8


def most_allowed(experiments: int, rate: float) -> int:
    """Return the largest count that a promised rate makes at least as likely as the surprise."""
    return int(stats.binom.isf(SURPRISE, experiments, rate))


@dataclass(frozen=True)
class Lived:
    """A lived world: its chain, its people, and what came of them."""

    chain: Chain
    lives: Sequence[Life]
    played: Played

    def of(self, family: Family) -> list[Ending]:
        """Return the endings of one family."""
        return [ending for ending in self.played.endings if ending.family == family]


def check_everything_is_counted_once(found: Lived) -> None:
    """Compare lake and counts with what was written, request by route and goal by experiment."""
    written = found.played.written
    names = [life.policy.name for life in found.lives]
    for requests, failures in (recount.lake_sums(found.chain), recount.counted_sums(found.chain, names)):
        assert requests == written.requests
        assert +failures == +written.failures
    assert [mark.bad_lines for mark in found.chain.counts.nodes()] == [0, 0]
    for life in found.lives:
        compared = (len(life.enrolled), written.goals[life.policy.name])
        assert recount.people_and_goals(found.chain, life) == compared


def promoted(endings: Sequence[Ending]) -> list[Ending]:
    """Return the experiments that were decided to be promoted."""
    return [ending for ending in endings if Reason.GOAL_PROVEN in ending.reasons]


def rolled_back(endings: Sequence[Ending]) -> list[Ending]:
    """Return the experiments in which harm was found."""
    harm = {Reason.METRIC_HARMED, Reason.LIMIT_VIOLATED}
    return [ending for ending in endings if ending.reasons & harm]


def check_rates(endings: Sequence[Ending]) -> None:
    """Hold experiments to the rates that their policies promise when nothing differs."""
    mismatched = [ending for ending in endings if Reason.MISMATCH_PAUSES in ending.reasons]
    for wrong, rate in (
        (promoted(endings), PROMISED.wrong_promotion),
        (rolled_back(endings), PROMISED.wrong_rollback),
        (mismatched, balance.ALPHA),
    ):
        assert len(wrong) <= most_allowed(len(endings), rate)


def check_all_were_at_stake(endings: Sequence[Ending], looks: int) -> None:
    """Show that whatever was not decided was looked at to the end, at the last step."""
    undecided = [ending for ending in endings if ending.phase is Phase.RUNNING]
    assert len(undecided) >= 0.9 * len(endings)
    assert all(ending.naive.looks == looks for ending in undecided)
    assert all(ending.standing.experiment.is_last_step for ending in undecided)


def check_goal(found: Lived) -> None:
    """Show that only the goal kept A/A experiments from a promotion, and that naive looks would not have."""
    same, better = found.of(QUIET), found.of(BETTER)
    assert sum(ending.lacks_only_the_goal for ending in same) >= 0.9 * len(same)
    naive = sum(ending.naive.goal_differs for ending in same)
    assert naive > most_allowed(len(same), PROMISED.wrong_promotion)
    proven = promoted(better)
    assert len(proven) >= POWER * len(better)
    assert all(ending.phase in {Phase.PROMOTING, Phase.WATCHING} for ending in proven)


def check_errors(found: Lived) -> None:
    """Show that errors without a difference tempt a naive reader, and that a difference is found."""
    same, failing = found.of(NOISY), found.of(FAILING)
    naive = sum(ending.naive.errors_are_more for ending in same)
    assert naive > most_allowed(len(same), PROMISED.wrong_rollback)
    harmed = [ending for ending in failing if Reason.METRIC_HARMED in ending.reasons]
    assert len(harmed) >= POWER * len(failing)
    assert all(ending.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK} for ending in harmed)


@dataclass(frozen=True)
class World:
    """A family without any difference beside one with a large one, and what else must be seen of them."""

    same: Family
    different: Family
    looks: int
    check: Callable[[Lived], None]


GOAL: Final = World(QUIET, BETTER, 5, check_goal)
ERRORS: Final = World(NOISY, FAILING, 4, check_errors)


@pytest.mark.slow
@pytest.mark.parametrize("world", [GOAL, ERRORS], ids=["goal", "errors"])
def test_decisions_are_wrong_no_more_often_than_promised(world: World, tmp_path: Path) -> None:
    lives = lives_of((world.same, world.different), world.looks)
    with built(tmp_path, [life.policy for life in lives], begin_us=BEGIN_US) as chain:
        found = Lived(chain, lives, play(chain, lives, world.looks))
        check_everything_is_counted_once(found)
        check_all_were_at_stake(found.of(world.same), world.looks)
        check_rates(found.of(world.same))
        world.check(found)
        with pytest.raises(AssertionError):
            check_rates(found.of(world.different))


@pytest.mark.parametrize(("experiments", "rate"), [(100, 0.05), (100, 0.01), (200, 0.05)])
def test_one_more_than_allowed_would_be_a_surprise(experiments: int, rate: float) -> None:
    allowed = most_allowed(experiments, rate)
    promised = stats.binom(experiments, rate)
    assert promised.sf(allowed) < SURPRISE <= promised.sf(allowed - 1)
