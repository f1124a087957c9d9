"""Actions of a simulated world: they take their time, may hang, and may go on after they were told to end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rollout.domain.experiment import JobState
from rollout.domain.job import OUTPUT_CHARACTERS, JobReport, Order
from rollout.domain.policy import LocalCommand
from rollout.errors import Problem, Stop
from tests.simulation.faults import Faults

ENDS: Final = dict.fromkeys(("true", "echo", "env"), JobState.SUCCEEDED) | dict.fromkeys(
    ("false", "sleep", "/bin/sh"), JobState.FAILED
)
GOES_ON: Final = frozenset({"sleep", "/bin/sh"})
"""How the commands of these worlds end; some are ended by their deadline only."""
LONGEST_S: Final = 5.0
DEADLINE_S: Final = 45.0
FORCED_WITHIN_S: Final = 30.0
"""How long an action may go on after it was told to end."""


@dataclass
class Job:
    """An action that was begun."""

    order: Order
    begun_s: float
    ends_s: float
    ends_as: JobState


class SimulatedJobs:
    """Every action of a world; `begun` hears of each before it begins."""

    def __init__(
        self,
        faults: Faults,
        now_s: Callable[[], float],
        begun: Callable[[str, Mapping[str, str]], None] = lambda _name, _variables: None,
    ) -> None:
        self._faults, self._now_s, self._begun = faults, now_s, begun
        self._turn = threading.Lock()
        self.jobs: dict[str, Job] = {}

    def start(self, order: Order) -> None:
        """Begin an order, unless it was begun before."""
        with self._turn:
            if self._known(order, whole=True) is not None:
                return
            self._begun(order.name, order.variables)
            program, now_s = _program(order), self._now_s()
            lasts_s = 0.0 if program in {"echo", "env"} else self._faults.chance.uniform(0, LONGEST_S)
            ends_as = ENDS[program]
            if program in GOES_ON or self._faults.strikes("job hangs"):
                lasts_s, ends_as = DEADLINE_S, JobState.FAILED
            if order.action.deadline_s < lasts_s:
                lasts_s, ends_as = order.action.deadline_s, JobState.LATE
            self.jobs[order.name] = Job(order, now_s, now_s + lasts_s, ends_as)

    def report(self, order: Order) -> JobReport | None:
        """Return how an action fares."""
        job = self._known(order, whole=True)
        if job is None:
            return None
        if self.is_running(order.name):
            return JobReport(JobState.RUNNING)
        message = "ran past its deadline" if job.ends_as is JobState.LATE else ""
        return JobReport(job.ends_as, message, output=_output(order)[-OUTPUT_CHARACTERS:])

    def stop(self, order: Order) -> None:
        """Have an action end, soon if it obeys; one that was not begun never will be."""
        job = self._known(order, whole=False)
        if job is None:
            self.jobs[order.name] = Job(order, self._now_s(), self._now_s(), JobState.FAILED)
            return
        if not self.is_running(order.name):
            return
        lasts_s = FORCED_WITHIN_S if self._faults.strikes("job outlives a stop") else 0.0
        job.ends_s, job.ends_as = min(job.ends_s, self._now_s() + lasts_s), JobState.FAILED

    def is_running(self, name: str) -> bool:
        """Return whether an action runs now."""
        return name in self.jobs and self._now_s() < self.jobs[name].ends_s

    def _known(self, order: Order, *, whole: bool) -> Job | None:
        job = self.jobs.get(order.name)
        if job is None:
            return None
        if job.order.uid != order.uid or (whole and job.order.fingerprint != order.fingerprint):
            raise Stop(Problem(order.name, "was begun as another order", "look who began it"))
        return job


def _program(order: Order) -> str:
    assert isinstance(order.action, LocalCommand)
    return order.action.command[0]


def _output(order: Order) -> str:
    assert isinstance(order.action, LocalCommand)
    if _program(order) == "env":
        return "\n".join(f"{name}={value}" for name, value in order.variables.items())
    return " ".join(order.action.command[1:]) if _program(order) == "echo" else ""
