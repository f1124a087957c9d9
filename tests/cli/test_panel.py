"""The live view: it fits every terminal, says what is waited for, and asks little."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from rich.console import Console

from rollout.api.outlook import newest_look, outlook
from rollout.api.shapes import entry_answer, experiment_answer
from rollout.cli.panel import Frame, Seen, view
from rollout.cli.watch import Shown
from rollout.client.answers import EntryAnswer, ExperimentAnswer
from rollout.client.nodes import NodeAnswer, NodesAnswer
from rollout.controller.sights import Sight
from rollout.domain.decision import Decision, Reason
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.judge import Patience, judge
from rollout.errors import ControlPlaneFailed, Problem
from rollout.ports import Standing
from tests.domain.scenes import EXPERIMENT, NOW_US, SECOND_US, evidence

NOW = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW_US)
FIRST = replace(EXPERIMENT, step=0, step_entered_us=NOW_US - 600 * SECOND_US)
EARLY = replace(evidence(), units_in_step=np.array([410, 320]))


def entry_of(experiment: Experiment, seen: Evidence, reason: Reason, number: int = 1) -> Entry:
    judgement = judge(experiment, seen, NOW_US, Patience())
    mark, policy = seen.watermark_us, experiment.policy
    state = (experiment.phase, experiment.step, judgement, mark, experiment.revision, policy)
    return Entry(number, NOW_US, Decision(reason), *state)


def answer(
    experiment: Experiment = FIRST,
    seen: Evidence = EARLY,
    reason: Reason = Reason.STEP_UNFINISHED,
    number: int = 1,
    name: str = "churn-v2",
) -> ExperimentAnswer:
    """Return what the control plane would say of a run at a look."""
    run = replace(experiment, uid=f"uid of {name}", policy=replace(experiment.policy, name=name))
    entry = entry_of(run, seen, reason, number)
    standing, sight = Standing(run, number, entry), Sight(NOW_US, run, seen, entry.judgement)
    ahead = outlook(standing, sight, NOW_US, is_live=True)
    return experiment_answer(standing, NOW_US, is_live=True, newest=newest_look(sight), outlook=ahead)


def many(number: int) -> list[ExperimentAnswer]:
    """Return so many runs that stand alike."""
    one = answer()
    return [one.model_copy(update={"name": f"policy-{at}", "uid": f"uid-{at}"}) for at in range(number)]


def drawn(
    *runs: ExperimentAnswer,
    width: int = 120,
    height: int = 40,
    is_plain: bool = False,
    note: str | None = None,
) -> list[str]:
    """Return the lines of a view, as a terminal of this size shows them."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None, markup=False)
    seen = Seen(runs, NOW, {}, None, note)
    console.print(view(seen, Frame(width, height, is_plain)))
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_run_is_told_with_bars_and_the_time_that_is_left() -> None:
    lines = drawn(answer())
    assert lines[0] == "churn-v2  running, step 1 of 3 at 1%  (2.0.0 against 1.4.2 on /churn)"
    assert lines[1] == "traffic  ░░░░░░░░░░░░ 1%  [1%] ▸ 10% ▸ 50%"
    assert "waits for  ████░░░░░░░░ 10m of 30m, over in 20m at the earliest" in lines
    assert "waits for  ███████░░░░░ 320 of 500 units in the arm with fewest" in lines
    metric = next(line for line in lines if line.startswith("converted"))
    assert metric.split()[1] == "primary"
    assert "…" in metric, "the interval"
    last = drawn(answer(EXPERIMENT, evidence(), Reason.GOAL_UNPROVEN))
    assert "hold.atMost ends in 12d, then: pause" in last


def test_without_unicode_it_is_plain_and_says_the_same() -> None:
    lines = drawn(answer(), is_plain=True)
    assert lines[1] == "traffic  ------------ 1%  [1%] > 10% > 50%"
    assert "waits for  ####-------- 10m of 30m, over in 20m at the earliest" in lines


def test_a_broken_split_is_in_sight() -> None:
    broken = replace(evidence(), enrolled=np.array([[4_000, 3_100]]))
    paused = replace(FIRST, phase=Phase.PAUSED, paused_us=NOW_US)
    lines = drawn(answer(paused, broken, Reason.PAUSED))
    assert "candidate 2.0.0: 3,100 units, expected 3,550 (-12.7%)" in lines
    assert "waits for  a person must decide: rollout resume churn-v2, or rollback" in lines


@pytest.mark.parametrize("width", [120, 90, 60, 40, 20, 8])
@pytest.mark.parametrize("height", [50, 24, 5, 1])
def test_it_is_never_wider_than_the_terminal_nor_longer_when_there_are_many(width: int, height: int) -> None:
    runs = many(30)
    lines = drawn(*runs, width=width, height=height, note="this is 3s old: cannot connect")
    assert max(map(len, lines)) <= width
    compact = [line for line in lines if line.startswith("policy-")]
    if width >= 60:
        assert len(lines) <= max(height, 5)
        assert len(compact) == (30 if height > 32 else max(height - 3, 1))
    one = drawn(runs[0], width=width, height=height)
    assert max(map(len, one)) <= width
    assert width < 20 or any("conv" in line for line in one)


def test_who_needs_a_person_comes_first_when_not_all_have_room() -> None:
    paused = replace(FIRST, phase=Phase.PAUSED, paused_us=NOW_US)
    runs = many(20)
    stuck = answer(paused, EARLY, Reason.PAUSED, name="stuck")
    lines = drawn(*runs, stuck, height=8)
    assert lines[1].split()[:2] == ["stuck", "paused"]
    assert lines[-1] == "and 15 more: rollout list"


def test_no_run_is_said_and_a_note_stands_below() -> None:
    assert drawn(note="away") == ["no experiments yet; start one: rollout start POLICY", "away"]


class Plane:
    """Counts what is asked."""

    def __init__(self) -> None:
        self.nodes_asked = self.past_asked = 0
        self.is_away = False

    def nodes(self) -> NodesAnswer:
        self.nodes_asked += 1
        if self.is_away:
            raise ControlPlaneFailed(Problem("there", "away", "wait"))
        silent = NodeAnswer(name="edge", is_silent=True, is_live=False)
        return NodesAnswer(nodes=(silent, NodeAnswer(name="near", is_silent=False, is_live=True)))

    def past(self, run: ExperimentAnswer) -> tuple[EntryAnswer, ...]:
        self.past_asked += 1
        assert run.decision is not None
        entry = entry_of(FIRST, EARLY, Reason.EVIDENCE_STALE, run.decision.number - 1)
        return (entry_answer(entry),)


def test_a_view_asks_little_and_keeps_the_newest_decisions() -> None:
    plane = Plane()
    shown = Shown(plane.nodes, plane.past, is_plain=True)
    console = Console(file=io.StringIO(), width=120, height=60, color_system=None, markup=False)
    reasons = [Reason.STEP_UNFINISHED, Reason.UNITS_TOO_FEW, Reason.STEP_UNFINISHED]
    for number, reason in enumerate(reasons, start=5):
        for _ in range(5):
            shown.take((answer(reason=reason, number=number),), None)
    assert (plane.nodes_asked, plane.past_asked) == (2, 1)
    plane.is_away = True
    shown.take((answer(number=7),), "away")
    assert plane.nodes_asked == 2, "none while nobody answers"
    console.print(shown.now(console))
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert "nodes: 1 live; cut off: edge" in told
    past = [line for line in told.splitlines() if "  hold: " in line]
    assert len(past) == 4
    assert "the evidence does not reach into this step yet" in past[0]
