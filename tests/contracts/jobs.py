"""What every runner of actions keeps to, the real ones and the fakes alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.domain.experiment import JobState
from rollout.domain.job import OUTPUT_CHARACTERS, JobReport, Order
from rollout.domain.policy import LocalCommand
from rollout.errors import Stop
from rollout.ports import Jobs

NAME = "ro-churn-v2-a1b2c3d4-candidate1-promote-1"
UID = "a1b2c3d4"
WITHIN_S = 30.0
_OPEN = {JobState.RUNNING, JobState.WAITING}
COUNTING = LocalCommand(("/bin/sh", "-c", "echo once >> effects; sleep 600"))
"""Leaves a line in its working folder each time that it begins, and goes on."""


def order(action: LocalCommand, variables: Mapping[str, str] | None = None, *, name: str = NAME) -> Order:
    """Return what is ordered."""
    return Order(name, UID, action, variables or {})


def state(jobs: Jobs, work: Order) -> JobState | None:
    """Return how an order stands."""
    known = jobs.report(work)
    return None if known is None else known.state


def await_report(jobs: Jobs, work: Order) -> JobReport:
    """Return what is known of an action once it has ended."""
    deadline = time.monotonic() + WITHIN_S
    while state(jobs, work) in _OPEN and time.monotonic() < deadline:
        time.sleep(0.01)
    known = jobs.report(work)
    assert known is not None
    return known


def await_end(jobs: Jobs, work: Order) -> JobState:
    """Return what became of an action once it has ended."""
    return await_report(jobs, work).state


class JobsContract:
    """Subclasses give a new runner to each test, another controller's access to it, and count beginnings."""

    @pytest.fixture
    def jobs(self) -> Jobs:
        raise NotImplementedError

    def another(self, jobs: Jobs, folder: Path) -> Jobs:
        """Return the same runner as another controller, or this one after a restart, reaches it."""
        raise NotImplementedError

    def beginnings(self, jobs: Jobs, folder: Path) -> int:
        """Return how often `COUNTING` was begun; `folder` is its working folder."""
        raise NotImplementedError

    def await_beginning(self, jobs: Jobs, folder: Path) -> None:
        """Wait until `COUNTING` has done what it leaves behind."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            try:
                if self.beginnings(jobs, folder):
                    return
            except FileNotFoundError:
                time.sleep(0.01)

    def test_what_was_never_started_is_not_known(self, jobs: Jobs) -> None:
        assert jobs.report(order(LocalCommand(("true",)))) is None

    @pytest.mark.parametrize(("program", "ends"), [("true", JobState.SUCCEEDED), ("false", JobState.FAILED)])
    def test_an_action_ends_as_its_program_does(self, jobs: Jobs, program: str, ends: JobState) -> None:
        jobs.start(work := order(LocalCommand((program,))))
        assert await_end(jobs, work) is ends

    def test_an_action_runs_until_it_is_stopped(self, jobs: Jobs) -> None:
        jobs.start(work := order(LocalCommand(("sleep", "600"))))
        assert state(jobs, work) is JobState.RUNNING
        jobs.stop(work)
        assert await_end(jobs, work) is JobState.FAILED

    def test_an_order_is_begun_once_however_often_it_is_given(self, jobs: Jobs, tmp_path: Path) -> None:
        work = order(COUNTING)
        for _ in range(3):  # as after a reply that was lost
            jobs.start(work)
            self.await_beginning(jobs, tmp_path)
        jobs.stop(work)
        assert await_end(jobs, work) is JobState.FAILED
        jobs.start(work)
        assert state(jobs, work) is JobState.FAILED
        assert self.beginnings(jobs, tmp_path) == 1

    def test_of_two_controllers_at_once_one_begins_it(self, jobs: Jobs, tmp_path: Path) -> None:
        work = order(COUNTING)
        controllers = [jobs, *(self.another(jobs, tmp_path) for _ in range(3))]
        threads = [threading.Thread(target=one.start, args=(work,)) for one in controllers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WITHIN_S)
        self.await_beginning(jobs, tmp_path)
        assert {state(one, work) for one in controllers} == {JobState.RUNNING}
        jobs.stop(work)
        assert await_end(jobs, work) is JobState.FAILED
        assert self.beginnings(jobs, tmp_path) == 1

    def test_after_a_restart_an_action_is_known_and_can_be_stopped(self, jobs: Jobs, tmp_path: Path) -> None:
        jobs.start(work := order(COUNTING))
        self.await_beginning(jobs, tmp_path)
        again = self.another(jobs, tmp_path)
        again.start(work)
        assert state(again, work) is JobState.RUNNING
        again.stop(work)
        assert await_end(jobs, work) is JobState.FAILED
        assert self.beginnings(jobs, tmp_path) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"action": LocalCommand(("true", "--other"))},
            {"action": LocalCommand(("true",), deadline_s=7.0)},
            {"variables": {"ROLLOUT_VERSION": "3.0.0"}},
            {"uid": "zzzzzzzz"},
        ],
    )
    def test_another_order_of_the_name_is_a_problem_and_never_adopted(
        self, jobs: Jobs, tmp_path: Path, other: dict[str, object]
    ) -> None:
        work = order(LocalCommand(("true",)))
        jobs.start(work)
        assert await_end(jobs, work) is JobState.SUCCEEDED
        stranger = replace(work, **other)  # type: ignore[arg-type]
        for one in (jobs, self.another(jobs, tmp_path)):
            for ask in (one.start, one.report):
                with pytest.raises(Stop, match=NAME):
                    ask(stranger)
        assert state(jobs, work) is JobState.SUCCEEDED

    def test_another_run_s_action_is_not_stopped(self, jobs: Jobs) -> None:
        jobs.start(work := order(LocalCommand(("sleep", "600"))))
        with pytest.raises(Stop, match=NAME):
            jobs.stop(replace(work, uid="zzzzzzzz"))
        assert state(jobs, work) is JobState.RUNNING
        # Whatever its arguments: what bears the run's label is the run's to stop.
        jobs.stop(replace(work, variables={"ROLLOUT_VERSION": "3.0.0"}))
        assert await_end(jobs, work) is JobState.FAILED

    def test_what_was_stopped_before_it_began_never_begins(self, jobs: Jobs) -> None:
        work = order(LocalCommand(("true",)))
        for _ in range(2):
            jobs.stop(work)
            assert state(jobs, work) is JobState.FAILED
        jobs.start(work)
        assert state(jobs, work) is JobState.FAILED

    def test_stopping_what_has_ended_changes_nothing(self, jobs: Jobs) -> None:
        work = order(LocalCommand(("true",)))
        jobs.start(work)
        assert await_end(jobs, work) is JobState.SUCCEEDED
        jobs.stop(work)
        assert state(jobs, work) is JobState.SUCCEEDED

    def test_the_next_attempt_is_an_action_of_its_own(self, jobs: Jobs) -> None:
        first = order(LocalCommand(("false",)))
        second = order(LocalCommand(("true",)), name=NAME.removesuffix("1") + "2")
        jobs.start(first)
        assert jobs.report(second) is None
        jobs.start(second)
        assert [await_end(jobs, one) for one in (first, second)] == [JobState.FAILED, JobState.SUCCEEDED]

    def test_a_deadline_ends_an_action_and_says_so(self, jobs: Jobs) -> None:
        jobs.start(work := order(LocalCommand(("sleep", "600"), deadline_s=0.3)))
        known = await_report(jobs, work)
        assert known.state is JobState.LATE
        assert "deadline" in known.message

    def test_an_action_is_told_its_variables(self, jobs: Jobs) -> None:
        jobs.start(work := order(LocalCommand(("env",)), {"ROLLOUT_UID": UID, "ROLLOUT_ACTION": "promote"}))
        told = await_report(jobs, work).output.splitlines()
        assert {f"ROLLOUT_UID={UID}", "ROLLOUT_ACTION=promote"} <= set(told)

    def test_the_end_of_its_output_is_told(self, jobs: Jobs) -> None:
        jobs.start(work := order(LocalCommand(("echo", "x" * 2 * OUTPUT_CHARACTERS, "the end"))))
        output = await_report(jobs, work).output
        assert output.rstrip("\n").endswith("the end")
        assert len(output) <= OUTPUT_CHARACTERS
