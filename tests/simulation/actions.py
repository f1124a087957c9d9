"""Actions of a simulated world: they take their time, may hang, and may go on after they were told to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rollout.domain.experiment import JobState
from rollout.domain.policy import LocalCommand
from tests.simulation.faults import Faults

ENDS: Final = {"true": JobState.SUCCEEDED, "false": JobState.FAILED, "sleep": JobState.FAILED}
"""How the commands of these worlds end; `sleep` is ended by its deadline only."""
LONGEST_S: Final = 5.0
DEADLINE_S: Final = 45.0
FORCED_WITHIN_S: Final = 30.0
"""How long an action may go on after it was told to end."""


@dataclass
class Job:
    """An action that was begun."""

    begun_s: float
    ends_s: float
    ends_as: JobState


class SimulatedJobs:
    """Every action of a world; `begun` hears of each before it begins."""

    def __init__(
        self,
        faults: Faults,
        now_s: Callable[[], float],
        begun: Callable[[str, dict[str, str]], None] = lambda _name, _variables: None,
    ) -> None:
        self._faults, self._now_s, self._begun = faults, now_s, begun
        self.jobs: dict[str, Job] = {}

    def start(self, name: str, action: LocalCommand, variables: dict[str, str]) -> None:
        """Begin an action, unless its name was begun before."""
        if name in self.jobs:
            return
        self._begun(name, variables)
        program, now_s = action.command[0], self._now_s()
        lasts_s = self._faults.chance.uniform(0, LONGEST_S)
        ends_as = ENDS[program]
        if program == "sleep" or self._faults.strikes("job hangs"):
            lasts_s, ends_as = DEADLINE_S, JobState.FAILED
        self.jobs[name] = Job(now_s, now_s + lasts_s, ends_as)

    def state(self, name: str) -> JobState | None:
        """Return how an action fares."""
        job = self.jobs.get(name)
        if job is None:
            return None
        return JobState.RUNNING if self._now_s() < job.ends_s else job.ends_as

    def stop(self, name: str) -> None:
        """Have an action end, soon if it obeys; one that was not begun never will be."""
        if name not in self.jobs:
            self.jobs[name] = Job(self._now_s(), self._now_s(), JobState.FAILED)
        if self.state(name) is not JobState.RUNNING:
            return
        job, now_s = self.jobs[name], self._now_s()
        lasts_s = FORCED_WITHIN_S if self._faults.strikes("job outlives a stop") else 0.0
        job.ends_s, job.ends_as = min(job.ends_s, now_s + lasts_s), JobState.FAILED

    def is_running(self, name: str) -> bool:
        """Return whether an action runs now."""
        return self.state(name) is JobState.RUNNING
