"""Every world keeps every promise, and whoever checks them finds every bug that is planted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pytest
import structlog

from rollout.domain.decision import Reason
from rollout.domain.experiment import Phase
from tests.simulation import summary
from tests.simulation.faults import OFTENEST
from tests.simulation.life import live
from tests.simulation.planted import PLANTED
from tests.simulation.shrinking import shrunk

SEEDS = 60
FOUND_WITHIN = 200
FOUND_AT: Final[Mapping[str, int]] = {
    "records without comparing": 30028,
    "drops wishes": 7,
    "believes that all is live": 54,
    "nodes follow old leaders": 9,
    "takes old evidence for new": 34,
    "asks not how old evidence is": 8,
    "sees no harm while it promotes": 20,
    "trusts a broken split": 16,
    "waits for no action": 12,
}
"""The first world in which a bug was found, to look there first; the others were found in the first one."""
MENDED: Final[Mapping[str, tuple[int, ...]]] = {
    "a wish was recorded of a run that had just lost its route": (46,),
    "a name began again before its last run's wish was answered": (30124, 30178),
    "a promotion that was given up began late; see tests/controller/test_reconcile.py": (5967, 6242),
}
"""Seeds that once broke a promise, by what was wrong."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep the controller's logs away: a story is told from outside."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


def lived(*seeds: int) -> summary.Summary:
    """Live these worlds; a broken one tells its story."""
    found = summary.Summary()
    for seed in seeds:
        found.add(live(seed))
    assert not found.broken, "\n".join(summary.told(found.broken[0]))
    return found


@pytest.mark.parametrize("part", range(4))
def test_every_world_keeps_every_promise_and_comes_to_rest(part: int) -> None:
    found = lived(*range(1 + part * SEEDS // 4, 1 + (part + 1) * SEEDS // 4))
    assert found.lives == SEEDS // 4


@pytest.mark.parametrize("seed", [seed for seeds in MENDED.values() for seed in seeds])
def test_what_was_mended_stays_mended(seed: int) -> None:
    found = lived(seed)
    assert found.lives == 1
    assert found.struck, "nothing went wrong there any more: look for another world that shows it"


def test_worlds_differ_and_meet_everything_that_can_go_wrong() -> None:
    found = lived(*range(500, 520))
    assert len(found.struck) >= len(OFTENEST) * 2 / 3
    assert len(found.decisions) >= len(Reason) / 3
    assert found.phases[Phase.PROMOTED.value] > 0
    assert found.phases[Phase.ROLLED_BACK.value] > 0


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str) -> None:
    for seed in (FOUND_AT.get(bug, 1), *range(1, 1 + FOUND_WITHIN)):
        outcome = live(seed, PLANTED[bug]())
        if outcome.broken is not None:
            assert "promises breaks" not in outcome.broken, outcome.broken
            return
    pytest.fail(f"{bug}: nobody noticed in {FOUND_WITHIN} worlds")


def test_a_world_is_drawn_again_from_its_seed() -> None:
    bug = PLANTED["waits for no action"]
    first, second = (live(12, bug()) for _ in range(2))
    assert first == second
    assert first.story


def test_a_broken_world_tells_its_story_with_the_faults_that_it_needs() -> None:
    bug = PLANTED["is easily convinced"]()
    outcome = live(1, bug)
    best, without = shrunk(outcome, bug)
    assert best.promise == outcome.promise == "nothing is promoted without proof"
    assert not set(best.struck) & set(without)
    words = "\n".join(summary.told(best, without))
    assert "decides" in words
    assert "--seeds 1 --first 1" in words
