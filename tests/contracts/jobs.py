"""What every runner of actions keeps to, the real one and the fake alike."""

from __future__ import annotations

import time

import pytest

from rollout.domain.experiment import JobState
from rollout.domain.policy import LocalCommand
from rollout.ports import Jobs

NAME = "ro-churn-v2-a1b2c3d4-candidate1-promote-1"
WITHIN_S = 30.0


def await_end(jobs: Jobs, name: str = NAME) -> JobState | None:
    """Return what became of an action once it has ended."""
    deadline = time.monotonic() + WITHIN_S
    while jobs.state(name) is JobState.RUNNING and time.monotonic() < deadline:
        time.sleep(0.01)
    return jobs.state(name)


class JobsContract:
    """Subclasses give a new runner to each test."""

    @pytest.fixture
    def jobs(self) -> Jobs:
        raise NotImplementedError

    def test_what_was_never_started_is_not_known(self, jobs: Jobs) -> None:
        assert jobs.state(NAME) is None

    @pytest.mark.parametrize(("program", "state"), [("true", JobState.SUCCEEDED), ("false", JobState.FAILED)])
    def test_an_action_ends_as_its_program_does(self, jobs: Jobs, program: str, state: JobState) -> None:
        jobs.start(NAME, LocalCommand((program,)), {})
        assert await_end(jobs) is state

    def test_an_action_runs_until_it_is_stopped(self, jobs: Jobs) -> None:
        jobs.start(NAME, LocalCommand(("sleep", "600")), {})
        assert jobs.state(NAME) is JobState.RUNNING
        jobs.stop(NAME)
        assert await_end(jobs) is JobState.FAILED

    def test_a_name_is_started_once(self, jobs: Jobs) -> None:
        jobs.start(NAME, LocalCommand(("true",)), {})
        assert await_end(jobs) is JobState.SUCCEEDED
        jobs.start(NAME, LocalCommand(("false",)), {})
        assert await_end(jobs) is JobState.SUCCEEDED

    def test_what_was_stopped_before_it_began_never_begins(self, jobs: Jobs) -> None:
        for _ in range(2):
            jobs.stop(NAME)
            assert jobs.state(NAME) is JobState.FAILED
        jobs.start(NAME, LocalCommand(("true",)), {})
        assert jobs.state(NAME) is JobState.FAILED

    def test_stopping_what_has_ended_changes_nothing(self, jobs: Jobs) -> None:
        jobs.start(NAME, LocalCommand(("true",)), {})
        assert await_end(jobs) is JobState.SUCCEEDED
        jobs.stop(NAME)
        assert jobs.state(NAME) is JobState.SUCCEEDED

    def test_names_do_not_share_a_state(self, jobs: Jobs) -> None:
        jobs.start(NAME, LocalCommand(("true",)), {})
        assert jobs.state("ro-other-a1b2c3d4-candidate1-promote-1") is None
