"""Publications are of all runs, so one stands for all that ask at once, and never for what is newer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.controller.publishing import FRESH_US, Publishing
from rollout.domain.assignment import Placement
from rollout.domain.experiment import Experiment, Phase
from rollout.errors import Problem, Retry
from rollout.ports import Published
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US
from tests.simulation.fakes import MemoryLedger


class Counted:
    """Traffic that counts what it is asked, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[Placement, ...]] = []
        self.answer = Published(is_live=True)
        self.failure: Exception | None = None

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        assert not kept
        self.asked.append(placements)
        if self.failure is not None:
            raise self.failure
        return self.answer


class Stage:
    """A ledger with two runs, and who publishes them."""

    def __init__(self) -> None:
        self.ledger, self.traffic = MemoryLedger(), Counted()
        self.publishing = Publishing(self.ledger, self.traffic)
        names = ("one", "two")
        self.runs = [self.ledger.start(replace(POLICY, name=name), NOW_US).experiment for name in names]
        self.problems: list[Exception] = []

    def publish(self, run: Experiment, *, after_us: int = 0) -> bool:
        return self.publishing.publish(run, NOW_US + after_us, self.problems)

    def advance(self, run: Experiment) -> Experiment:
        seen = self.ledger.run(run.uid)
        assert seen is not None
        after = replace(seen.experiment, step=1)
        assert self.ledger.record(seen, after, None)
        return after


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_one_publication_stands_for_all_runs_for_a_moment(stage: Stage) -> None:
    assert all(stage.publish(run) for run in stage.runs)
    assert len(stage.traffic.asked) == 1
    assert stage.publish(stage.runs[0], after_us=FRESH_US)
    assert len(stage.traffic.asked) == 2


def test_what_has_changed_is_published_at_once(stage: Stage) -> None:
    assert stage.publish(stage.runs[0])
    after = stage.advance(stage.runs[1])
    assert stage.publish(after)
    assert len(stage.traffic.asked) == 2
    assert stage.publish(stage.runs[0])
    assert len(stage.traffic.asked) == 2


def test_a_retired_route_is_published_as_gone_once(stage: Stage) -> None:
    seen = stage.ledger.run(stage.runs[1].uid)
    assert seen is not None
    assert stage.publish(seen.experiment)
    gone = replace(seen.experiment, phase=Phase.RETIRED)
    assert stage.ledger.record(seen, gone, None)
    assert stage.publish(gone)
    assert stage.publish(gone)
    assert [len(placements) for placements in stage.traffic.asked] == [2, 1]


def test_a_failed_publication_stands_for_nothing(stage: Stage) -> None:
    stage.traffic.failure = Retry(Problem("the proxies", "do not answer", "it is tried again"))
    assert not stage.publish(stage.runs[0])
    assert not stage.publish(stage.runs[1])
    assert len(stage.traffic.asked) == len(stage.problems) == 2
    stage.traffic.failure = None
    assert stage.publish(stage.runs[0])


def test_what_nobody_confirms_is_said_to_everyone_who_asks(stage: Stage) -> None:
    stage.traffic.answer = Published(is_live=False, refusal="edge is cut off")
    assert not any(stage.publish(run) for run in stage.runs)
    assert len(stage.traffic.asked) == 1
    assert [str(problem) for problem in stage.problems] == [
        "traffic: edge is cut off; it is published again; see the proxies' own logs"
    ] * 2
