"""What a metrics server says of a run at one look: asked beside it, so that a silent one delays nothing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from rollout.controller.workers import Threads, Workers
from rollout.domain.basis import Query
from rollout.domain.evidence import ArmEvidence, Evidence, PollEvidence, nothing_known
from rollout.domain.experiment import Experiment
from rollout.domain.quality import Quality
from rollout.errors import Problem, Retry
from rollout.intake.beside import Beside, Heard
from rollout.ports import Observed
from rollout.prometheus.client import Answer
from rollout.prometheus.queries import Asking, Measured, Question, evidence, questions
from rollout.prometheus.server import unset_address

WAIT_S: Final = 0.05
"""How long a look waits for an answer that is under way: nothing else of it may wait for a metrics server."""
AGAIN_US: Final = 5_000_000
"""How long after a failure it is asked again, at the latest at the next poll."""
LATE_US: Final = 10_000_000
FORGET_US: Final = 600_000_000
RUNS_AT_ONCE: Final = 16


class Metrics(Protocol):
    """A metrics server."""

    def ask(self, askings: Sequence[Asking]) -> tuple[Answer, ...]:
        """Return what each came to, in bounded time and without raising."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The newest values of a run's metrics, when they were asked for, and what went wrong then."""

    about: Hashable
    asked_us: int
    found: Mapping[tuple[int, str], Measured] = field(default_factory=dict)
    problems: Mapping[tuple[int, str], Problem] = field(default_factory=dict)


class PolledEvidence:
    """Polls a metrics server; it remembers only what that server would say again.

    A poll without an answer is a gap: nothing of an older poll is carried over. Without a server every poll
    is one, with a problem that says so.
    """

    def __init__(
        self, metrics: Metrics | None, *, workers: Workers | None = None, wait_s: float = WAIT_S
    ) -> None:
        self._metrics = metrics
        self._beside = Beside[_Known](Threads(RUNS_AT_ONCE) if workers is None else workers, wait_s=wait_s)
        self._known: dict[str, _Known] = {}

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        """Return the last polls of every metric that is polled; of all else nothing is known."""
        asked = questions(experiment, now_us)
        nothing = nothing_known(experiment.policy)
        if not asked:
            return Observed(nothing)
        if self._metrics is None:
            (unset,) = unset_address(experiment.policy, None)
            known = _Known(None, now_us, problems={(one.arm, one.metric.name): unset for one in asked})
            return Observed(_with_polls(nothing, asked, known, now_us), _told(known))
        known, problems = self._newest(self._metrics, experiment, asked, now_us)
        queries = tuple(_query(one) for one in asked)
        return Observed(_with_polls(nothing, asked, known, now_us), problems, queries)

    def finish(self, within_s: float) -> bool:
        """Wait for what the server is still asked, and return whether it answered in time."""
        return self._beside.finish(within_s)

    def _newest(
        self, metrics: Metrics, experiment: Experiment, asked: Sequence[Question], now_us: int
    ) -> tuple[_Known, tuple[Exception, ...]]:
        """Return the newest that is known of these questions, asked anew if it is due."""
        uid = experiment.uid
        whole = (experiment.revision, experiment.watch_from_us)
        about = (whole, tuple((one.arm, one.metric, one.asking.query) for one in asked))
        known = self._known.get(uid)
        if known is None or known.about != about:
            known = _Known(about, now_us)
        elif not _is_due(known, asked, now_us):
            return known, _told(known)
        self._forget(now_us)
        before = known
        heard = self._beside.newest(
            uid, about, lambda: self._ask(metrics, uid, asked, before, now_us), now_us
        )
        newest = self._known.get(uid, before)
        if newest.about != about:
            newest = before
        return newest, (*_told(newest), *_silence(heard))

    def _ask(
        self, metrics: Metrics, uid: str, asked: Sequence[Question], before: _Known, now_us: int
    ) -> _Known:
        """Ask what is due; where the server fails, what it said before stays, as old as it is."""
        due = [one for one in asked if one.asking.times]
        answers = metrics.ask([one.asking for one in due]) if due else ()
        found, problems = dict(before.found), dict[tuple[int, str], Problem]()
        for one, answer in zip(due, answers, strict=True):
            if answer.measured is not None:
                found[one.arm, one.metric.name] = answer.measured
            if answer.problem is not None:
                problems[one.arm, one.metric.name] = answer.problem
        known = _Known(before.about, now_us, found, problems)
        self._known[uid] = known
        return known

    def _forget(self, now_us: int) -> None:
        for uid in [uid for uid, one in self._known.items() if now_us - one.asked_us > FORGET_US]:
            self._known.pop(uid, None)


def _query(question: Question) -> Query:
    asking = question.asking
    first, last = (asking.times[0], asking.times[-1]) if asking.times else (None, None)
    return Query(question.metric.name, question.arm, asking.query, first, last, asking.interval_ms)


def _is_due(known: _Known, asked: Sequence[Question], now_us: int) -> bool:
    """Return whether a poll has come that was not answered, unless the server failed just now."""
    waits = [one for one in asked if one.asking.times and not _is_answered(known, one)]
    if not waits:
        return False
    has_failed_just_now = bool(known.problems) and 0 <= now_us - known.asked_us < AGAIN_US
    return not has_failed_just_now


def _is_answered(known: _Known, question: Question) -> bool:
    found = known.found.get((question.arm, question.metric.name))
    return found is not None and found.until_ms is not None and found.until_ms >= question.asking.times[-1]


def _told(known: _Known) -> tuple[Exception, ...]:
    return tuple(Retry(problem) for problem in dict.fromkeys(known.problems.values()))


def _silence(heard: Heard[_Known]) -> tuple[Exception, ...]:
    failure = () if heard.failure is None else (heard.failure,)
    if heard.open_us < LATE_US:
        return failure
    what = f"has not answered for more than {LATE_US // 1_000_000} s"
    return (*failure, Retry(Problem("Prometheus", what, "nothing it measures can be proven until it does")))


def _with_polls(nothing: Evidence, asked: Sequence[Question], known: _Known, now_us: int) -> Evidence:
    polls: dict[int, dict[str, PollEvidence]] = {}
    for one in asked:
        own = evidence(one, known.found.get((one.arm, one.metric.name), Measured()), now_us)
        if own is not None:
            polls.setdefault(one.arm, {})[one.metric.name] = own
    arms = tuple(ArmEvidence(polls=polls.get(arm, {})) for arm in range(1, len(nothing.arms) + 1))
    unmeasured = {name: f"Prometheus: {problem.what}" for (_, name), problem in known.problems.items()}
    return replace(nothing, arms=arms, quality=Quality(unmeasured=unmeasured))
