"""A run's action: begun after traffic allows it, bounded whoever restarts, and never beside the other one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from rollout.controller.naming import Purpose, order_for, purpose_of
from rollout.controller.noting import Noting
from rollout.domain.experiment import SECOND_US, Experiment, JobState
from rollout.domain.job import MESSAGE_CHARACTERS, JobReport, Order
from rollout.errors import Problem, Retry
from rollout.ports import Jobs

ZERO_WITHIN_S: Final = 10.0
"""How long a rollback's action waits for every proxy to confirm that traffic is at zero."""
PROMOTE_ENDS_WITHIN_S: Final = 60.0
"""How long it then waits for the end of a promote action, once that was told to stop.

Both waits are this controller's own, by a clock that nobody sets: on the time of day that is recorded they
would be over with one jump of it. A controller that has just begun waits anew.
"""
GRACE_US: Final = 120 * SECOND_US
"""How long after its deadline an action's runner may take to end it, with what came before its start."""
STOPS_WITHIN_US: Final = 60 * SECOND_US
"""How long an action that is late is told to stop before it counts as failed, whatever is known of it."""
_OPEN: Final = frozenset({JobState.RUNNING, JobState.WAITING})


@dataclass(slots=True)
class _Waits:
    """What is remembered of a run while it is acted on; an action's deadline holds without it."""

    purpose: Purpose
    attempts: tuple[int, int]
    """How often each action was tried so far, this time included."""
    began_us: int
    began_s: float
    is_at_zero: bool = False
    stopping_s: float | None = None
    """Since when a promote action's end is waited for."""
    is_begun: bool = False
    is_late: bool = False


class Acting:
    """Begins and ends actions through `jobs`, and says how a run's present one stands."""

    def __init__(
        self,
        jobs: Jobs,
        *,
        before: Callable[[Experiment], None],
        after: Callable[[Experiment], None],
        steady_s: Callable[[], float],
    ) -> None:
        self._jobs, self._before, self._after, self._steady_s = jobs, before, after, steady_s
        self._waits: dict[str, _Waits] = {}

    def report(self, experiment: Experiment, now_us: int, problems: list[Exception]) -> JobReport | None:
        """Return how the action stands that the phase waits for; one not yet begun counts as running."""
        purpose = purpose_of(experiment)
        if purpose is None:
            return None
        waits = self._of(experiment, purpose, now_us)
        if purpose is Purpose.ROLLBACK:
            if not waits.is_at_zero:
                return JobReport(JobState.RUNNING, "it waits until no proxy sends traffic to the candidate")
            if self._promotes_still(experiment, waits, problems):
                return JobReport(JobState.RUNNING, "it waits for the end of the promote action")
        order = order_for(experiment, purpose)
        return None if order is None else self._known(experiment, order, waits, now_us, problems)

    def converge(
        self, experiment: Experiment, now_us: int, problems: list[Exception], *, is_live: bool
    ) -> None:
        """Begin or end what the recorded phase asks for; `is_live` is whether proxies confirm its split."""
        purpose = purpose_of(experiment)
        if purpose is None:
            self._waits.pop(experiment.uid, None)
            return
        waits = self._of(experiment, purpose, now_us)
        if purpose is Purpose.ROLLBACK:
            has_ended = self._has_stopped_promoting(experiment, waits, problems)
            if not self._is_at_zero(experiment, waits, problems, is_live=is_live) or not has_ended:
                return
        order = order_for(experiment, purpose)
        if waits.is_late:
            self._stop(order, problems)
        elif order is not None and not waits.is_begun:
            self._before(experiment)
            with Noting(problems):
                self._jobs.start(order)
            self._after(experiment)

    def _of(self, experiment: Experiment, purpose: Purpose, now_us: int) -> _Waits:
        attempts = (experiment.promote_attempt, experiment.rollback_attempt)
        waits = self._waits.get(experiment.uid)
        if waits is None or (waits.purpose, waits.attempts) != (purpose, attempts):
            waits = self._waits[experiment.uid] = _Waits(purpose, attempts, now_us, self._steady_s())
        waits.began_us = min(waits.began_us, now_us)
        return waits

    def _known(
        self, experiment: Experiment, order: Order, waits: _Waits, now_us: int, problems: list[Exception]
    ) -> JobReport:
        """Return what its runner says of an action, and that it is late when it is."""
        found: JobReport | None = None
        message = "it is not begun yet"
        try:
            found = self._jobs.report(order)
        except Exception as error:  # noqa: BLE001 (noted, as every part of a tick that fails)
            problems.append(error)
            message = f"how it stands is not known: {error}"
        waits.is_begun = found is not None
        known = replace(found or JobReport(JobState.RUNNING, message), output="")
        known = replace(known, message=known.message[:MESSAGE_CHARACTERS])
        return self._in_time(experiment, order, known, waits, now_us)

    def _in_time(
        self, experiment: Experiment, order: Order, known: JobReport, waits: _Waits, now_us: int
    ) -> JobReport:
        """Return a report, which says so when its action should have ended; then it has a minute left to."""
        late_us = now_us - self._due_us(experiment, order, known, waits, now_us)
        deadline = f"its deadline of {order.action.deadline_s:g} s is over"
        if known.state not in _OPEN:
            was_stopped = waits.is_late and known.state is JobState.FAILED
            return _late(known, f"{deadline} ({known.message})") if was_stopped else known
        if late_us < 0:
            return known
        waits.is_late = True
        if late_us < STOPS_WITHIN_US:
            return replace(known, message=f"{deadline}, and it is told to stop ({known.message})")
        return _late(known, f"{deadline}, and it did not stop ({known.message})")

    def _due_us(
        self, experiment: Experiment, order: Order, known: JobReport, waits: _Waits, now_us: int
    ) -> int:
        """Return until when an action should have ended: one that began late has its whole time.

        A promote action that was not begun in its time never begins, whatever took so long; a rollback's
        still does, unless this controller itself has tried for so long.
        """
        bound_us = round(order.action.deadline_s * SECOND_US) + GRACE_US
        if waits.purpose is Purpose.ROLLBACK and known.begun_us is None:
            return now_us + bound_us - round((self._steady_s() - waits.began_s) * SECOND_US)
        wanted_us = self._wanted_us(experiment, waits, now_us)
        begun_us = known.begun_us
        from_us = begun_us if begun_us is not None and wanted_us <= begun_us <= now_us else wanted_us
        return from_us + bound_us

    def _wanted_us(self, experiment: Experiment, waits: _Waits, now_us: int) -> int:
        """Return since when the action is wanted; a clock that was set back has a shorter memory."""
        recorded_us = experiment.action_from_us
        return waits.began_us if recorded_us is None or recorded_us > now_us else recorded_us

    def _is_at_zero(
        self, experiment: Experiment, waits: _Waits, problems: list[Exception], *, is_live: bool
    ) -> bool:
        """Return whether a rollback's action may begin: traffic is at zero, or was waited for long enough."""
        if is_live or waits.is_at_zero:
            waits.is_at_zero = True
            return True
        if self._steady_s() - waits.began_s < ZERO_WITHIN_S:
            return False
        waits.is_at_zero = True
        what = f"no confirmation that traffic is at zero within {ZERO_WITHIN_S:g} s"
        remedy = "the rollback goes on; look for a proxy that is cut off"
        problems.append(Retry(Problem(experiment.uid, what, remedy)))
        return True

    def _promotes_still(self, experiment: Experiment, waits: _Waits, problems: list[Exception]) -> bool:
        """Return whether a promote action runs, or may begin yet; a rollback waits, at most a minute.

        Whoever decided to promote may have been held up before it began the action: until that name has been
        stopped, nobody knows that it never will.
        """
        order = None if experiment.winner is None else order_for(experiment, Purpose.PROMOTE)
        if order is None:
            return False
        with Noting(problems):
            known = self._jobs.report(order)
            if known is not None and known.state not in _OPEN:
                return False
        if waits.stopping_s is None:
            waits.stopping_s = self._steady_s()
        if self._steady_s() - waits.stopping_s < PROMOTE_ENDS_WITHIN_S:
            return True
        what = f"no word of its promote action's end within {PROMOTE_ENDS_WITHIN_S:g} s"
        problems.append(Retry(Problem(experiment.uid, what, "the rollback goes on; end that action by hand")))
        return False

    def _has_stopped_promoting(
        self, experiment: Experiment, waits: _Waits, problems: list[Exception]
    ) -> bool:
        """Have a promote action end, and return whether the rollback's may begin as far as that one goes."""
        if not self._promotes_still(experiment, waits, problems):
            return True
        self._stop(order_for(experiment, Purpose.PROMOTE), problems)
        return not self._promotes_still(experiment, waits, problems)

    def _stop(self, order: Order | None, problems: list[Exception]) -> None:
        if order is not None:
            with Noting(problems):
                self._jobs.stop(order)


def _late(known: JobReport, message: str) -> JobReport:
    return replace(known, state=JobState.LATE, message=message[:MESSAGE_CHARACTERS])
