"""A lake that is broken, slow or silent makes evidence old or stale; it never hides harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rollout.controller.workers import Threads
from rollout.domain.decide import decide
from rollout.domain.decision import Reason
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.judge import judge
from rollout.domain.verdict import Finding
from rollout.errors import Retry
from rollout.intake.beside import Beside
from rollout.lake.accounts.asked import Asked
from rollout.lake.accounts.books import Answer, Books, Question
from rollout.lake.accounts.filed import Cursors
from rollout.stats.arrays import IntArray
from tests.intake.test_evidence import PATIENCE, SECOND_US, Place, experiment, place
from tests.lake import histories
from tests.lake.histories import BEGIN_US, request_at
from tests.simulation.fakes import Inline

UID, NOW_US = "a1b2", BEGIN_US + 61 * SECOND_US


def failing_requests(here: Place) -> None:
    """File eighty requests of each arm, of which the candidate's fail."""
    here.file(
        [
            request_at(
                number * SECOND_US // 10,
                unit=f"user-{number}",
                route=f"ranker/{arm}/1",
                code=500 if arm == "candidate1" else 200,
            )
            for number, arm in enumerate(["candidate1", "control"] * 80)
        ]
    )
    here.filed_until(NOW_US)


def reason(run: Experiment, found: Evidence, now_us: int = NOW_US) -> Reason:
    return decide(run, judge(run, found, now_us, PATIENCE), None, now_us).reason


class Silent(Books):
    """Answers nothing until it is let."""

    def __init__(self, folder: Path, cursors: Cursors) -> None:
        super().__init__(folder, cursors=cursors)
        self.may_answer = threading.Event()

    def ask(self, asked: Asked, question: Question[Answer], now_us: int) -> Answer:
        assert self.may_answer.wait(60)
        return super().ask(asked, question, now_us)


def silent(lakes: list[Silent]) -> Callable[[Path, Cursors], Silent]:
    """Return how to open a silent lake, which is then at hand."""

    def opened(folder: Path, cursors: Cursors) -> Silent:
        lakes.append(Silent(folder, cursors))
        return lakes[-1]

    return opened


def test_harm_is_seen_beside_a_lake_whose_files_cannot_be_read() -> None:
    run = experiment()
    with place(run) as here:
        failing_requests(here)
        (segment,) = (here.house.folder / "lake" / "exposures").glob("*.parquet")
        segment.write_bytes(b"not a segment")
        observed = here.source.observe(run, NOW_US)
    assert {type(problem) for problem in observed.problems} == {Retry}
    assert observed.evidence.watermark_us is None
    assert reason(run, observed.evidence) is Reason.METRIC_HARMED


def test_after_a_defect_nothing_is_fresh_and_the_next_look_begins_anew() -> None:
    class Broken(Books):
        """Breaks in the middle of taking in what was filed, once."""

        has_broken = False

        def _hear(self, paths: Sequence[Path]) -> dict[str, IntArray]:
            found = super()._hear(paths)
            if found and not self.has_broken:
                self.has_broken = True
                raise ZeroDivisionError("a defect")
            return found

    run = experiment()
    with place(run, books_of=lambda folder, cursors: Broken(folder, cursors=cursors)) as here:
        told = histories.Told("bo", "bought", BEGIN_US + 1, 1, "")
        here.file([request_at(0), request_at(1, unit="bo", route="ranker/candidate1/1")], [told])
        here.filed_until(NOW_US)
        observed = here.source.observe(run, NOW_US)
        judged = judge(run, observed.evidence, NOW_US, PATIENCE)
        assert [type(problem) for problem in observed.problems] == [ZeroDivisionError]
        assert not judged.evidence_is_fresh
        assert set(judged.latches.values()) == {0.0}
        later = here.source.observe(run, NOW_US)
    assert later.problems == ()
    assert later.evidence.units_in_step.tolist() == [1, 1]
    assert later.evidence.arms[0].binary["bought"].candidate_successes.sum() == 1


def test_harm_waits_for_no_answer_and_a_late_one_counts_as_old_as_it_is() -> None:
    run, lakes = experiment(), list[Silent]()
    with place(run, books_of=silent(lakes), workers=Threads()) as here:
        failing_requests(here)
        (lake,) = lakes
        for now_us in (NOW_US, NOW_US + SECOND_US):
            observed = here.source.observe(run, now_us)
            assert observed.evidence.watermark_us is None
            assert observed.evidence.first_enrolled_us is None
            assert reason(run, observed.evidence) is Reason.METRIC_HARMED
        told = here.source.observe(run, NOW_US + 20 * SECOND_US).problems
        assert "the lake: has not answered for more than 10 s" in "".join(map(str, told))
        lake.may_answer.set()
        late = until(lambda: here.look(run, NOW_US + 21 * SECOND_US), lambda one: one.watermark_us == NOW_US)
        assert late.enrolled.sum() == 160
        assert reason(run, late) is Reason.METRIC_HARMED
        lake.may_answer.clear()
        older = here.look(run, NOW_US + 22 * SECOND_US)
        assert (older.watermark_us, older.enrolled.sum()) == (NOW_US, 160)
        moved = experiment(entered_us=NOW_US)
        assert here.look(moved, NOW_US + 23 * SECOND_US).watermark_us is None, "another step's answer"
        lake.may_answer.set()


def until(look: Callable[[], Evidence], is_wanted: Callable[[Evidence], bool]) -> Evidence:
    """Look until something is seen."""
    for _ in range(200):
        if is_wanted(found := look()):
            return found
    raise AssertionError("it was never seen")


def test_a_silent_lake_holds_and_proves_nothing() -> None:
    run = experiment()
    lakes = list[Silent]()
    with place(run, books_of=silent(lakes), workers=Threads()) as here:
        here.file([request_at(0), request_at(1, unit="bo", route="ranker/candidate1/1")])
        here.filed_until(NOW_US)
        found = here.look(run, NOW_US)
        lakes[0].may_answer.set()
    judged = judge(run, found, NOW_US, PATIENCE)
    assert reason(run, found) is Reason.EVIDENCE_STALE
    assert Finding.SAFE not in {verdict.finding for verdict in judged.verdicts}


def test_one_run_has_one_open_question_and_keeps_no_other_run_waiting() -> None:
    beside, may_answer, asked = Beside[int](Threads(), wait_s=0.01), threading.Event(), list[str]()

    def hanging() -> int:
        asked.append("hanging")
        may_answer.wait(60)
        return 1

    for now_us in (0, 1, 2):
        heard = beside.newest("a", "step 1", hanging, now_us)
        assert (heard.answer, heard.open_us) == (None, now_us)
    assert asked == ["hanging"]
    patient = Beside[int](Threads(), wait_s=60.0)
    assert patient.newest("b", "step 1", lambda: 7, 0).answer == 7
    may_answer.set()


def test_only_an_answer_to_the_same_question_is_used() -> None:
    beside = Beside[int](Inline())
    assert beside.newest("a", "step 1", lambda: 1, 0).answer == 1

    def failing() -> int:
        raise ZeroDivisionError("a defect")

    heard = beside.newest("a", "step 1", failing, 1)
    assert (heard.answer, type(heard.failure)) == (1, ZeroDivisionError)
    assert beside.newest("a", "step 2", failing, 2).answer is None
    assert beside.newest("a", "step 2", lambda: 3, 3) == beside.newest("a", "step 2", lambda: 3, 3)


@pytest.mark.parametrize("limit", [0, 1])
def test_without_room_a_question_waits_for_the_next_look(limit: int) -> None:
    beside = Beside[int](Threads(limit), wait_s=60.0)
    assert beside.newest("a", "step 1", lambda: 1, 0).answer == (1 if limit else None)
