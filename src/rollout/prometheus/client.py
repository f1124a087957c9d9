"""A Prometheus server, asked in time: every question of a run before one deadline, a few at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from rollout.errors import Problem, Retry
from rollout.prometheus.answers import Series, Unusable, refuse_other_times, series_of
from rollout.prometheus.queries import Asking, Measured, freshness, measured
from rollout.prometheus.server import Server

AT_ONCE: Final = 4
LARGEST_SKEW_S: Final = 5.0
"""By how much the server's clock may differ from ours, beside how long its answer took."""
_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query came to: what was measured, if the server could be asked, and what is wrong with it."""

    measured: Measured | None
    problem: Problem | None = None


class Prometheus:
    """Asks one server through prometheus-api-client; what goes wrong is an answer, never an exception.

    Nothing is tried again here: a later look does that, and until then it is known that it failed.
    """

    def __init__(
        self, server: Server, *, now_s: Callable[[], float] = time.time, at_once: int = AT_ONCE
    ) -> None:
        self._server, self._now_s, self._at_once = server, now_s, at_once

    def ask(self, askings: Sequence[Asking]) -> tuple[Answer, ...]:
        """Return what each came to, all before the server's deadline; equal ones are asked once."""
        deadline_s = time.monotonic() + self._server.timeout_s
        problem = self._wrong_clock(deadline_s)
        if problem is not None:
            return (Answer(None, problem),) * len(askings)
        different = tuple(dict.fromkeys(askings))
        with ThreadPoolExecutor(self._at_once, "prometheus") as threads:
            answers = threads.map(lambda one: self._answer(one, deadline_s), different)
            found = dict(zip(different, answers, strict=True))
        return tuple(found[one] for one in askings)

    def _answer(self, asking: Asking, deadline_s: float) -> Answer:
        try:
            series = self._asked(asking.query, asking, deadline_s)
            age = freshness(asking.query)
            ages = self._asked(age, asking, deadline_s) if series and age else ()
            found, trouble = measured(series, ages, asking)
        except Unusable as error:
            return Answer(None, self._problem(asking.query, error))
        return Answer(found, None if trouble is None else self._problem(asking.query, trouble))

    def _wrong_clock(self, deadline_s: float) -> Problem | None:
        """Return why the server's time, and so every poll's, is not ours, or why it cannot be asked."""
        began_s = self._now_s()
        try:
            (said,) = self._asked("time()", None, deadline_s)
            (server_s,) = said.values.values()
        except Unusable as error:
            return self._problem(None, error)
        skew_s = max(began_s - server_s, server_s - self._now_s(), 0.0)
        if skew_s <= LARGEST_SKEW_S:
            return None
        what = f"its clock and ours differ by {skew_s:.0f} s, and at most {LARGEST_SKEW_S:g} s are allowed"
        return self._problem(None, Unusable(what, "set both clocks right"))

    def _asked(self, query: str, asking: Asking | None, deadline_s: float) -> tuple[Series, ...]:
        """Return a query's series, at its times, or at the server's own; raises `Unusable`."""
        # The library is imported by the first question only.
        from rollout.prometheus.exchange import exchanged  # noqa: PLC0415

        try:
            headers = self._server.sent()
        except Retry as error:
            (problem,) = error.problems
            raise Unusable(f"{problem.where} {problem.what}", problem.remedy) from None
        series = series_of(exchanged(self._server, headers, query, asking, deadline_s))
        if asking is not None:
            refuse_other_times(series, asking.times)
        return series

    def _problem(self, query: str | None, error: Unusable) -> Problem:
        shown = "" if query is None else f", asked `{query[:_SHOWN]}{'…' if len(query) > _SHOWN else ''}`"
        return Problem(f"Prometheus at {self._server.url}{shown}", error.what, error.remedy)
