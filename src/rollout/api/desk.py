"""What can be asked about experiments, between HTTP and the ledger: each request is one call here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

from rollout.api.acts import act_of
from rollout.api.beside import range_beside
from rollout.api.evidence import evidence_answer
from rollout.api.outlook import broken_split, newest_look, outlook
from rollout.api.pages import page_of
from rollout.api.problems import Refusal
from rollout.api.records import Records
from rollout.api.refusals import (
    MAXIMUM_TRIES,
    problems_of,
    refuse_unbuilt,
    stands,
    too_restless,
    unrevisable,
)
from rollout.api.shapes import (
    experiment_answer,
    history_answer,
    is_over,
    unbroken_since_us,
)
from rollout.api.starting import StartingLedger
from rollout.api.states import etag, matches
from rollout.api.unfit import unlooked
from rollout.api.upstreams import degraded_answers
from rollout.api.wishing import Wishing
from rollout.client.answers import (
    MAXIMUM_PAGE,
    Change,
    ExperimentAnswer,
    ExperimentsAnswer,
    HistoryAnswer,
    ReportFormat,
    StartedAnswer,
)
from rollout.client.evidence import EvidenceAnswer
from rollout.client.records import RecordAnswer, ReplayAnswer
from rollout.client.wishes import AskedAnswer, WishRequest
from rollout.controller.sights import Sight
from rollout.domain.access import Caller
from rollout.domain.assignment import Placement
from rollout.domain.buckets import Range
from rollout.domain.experiment import Experiment, Phase, placement_of
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.domain.revise import Unrevisable, revise
from rollout.domain.wish import Asked
from rollout.errors import Problem, nearest
from rollout.fleet.degradation import Degraded
from rollout.policyfile.finding import Severity, worded
from rollout.policyfile.reading import Reading
from rollout.ports import Standing, Unread


@dataclass(frozen=True, slots=True)
class Tools:
    """What the desk works with."""

    read: Callable[[bytes, str], Reading]
    refuse_impossible: Callable[[Sequence[Placement]], None]
    """Raises `WrongTraffic` when the proxy cannot do what these placements ask for; the last one is new."""
    render: Callable[[Experiment, tuple[Entry, ...], ReportFormat, tuple[str, ...]], str]
    """Writes a run's report from its history, and what is wrong right now, in sentences."""
    is_live: Callable[[Placement], bool]
    """Whether every proxy has confirmed a placement."""
    recorded: Callable[[], None]
    """Hears that a person changed the ledger, so that nobody waits for the next look."""
    now_us: Callable[[], int]
    degraded: Callable[[str, int], Sequence[Degraded]] = lambda _experiment, _revision: ()
    """Which arms of a run do not fare well now, on all proxies together."""
    sight: Callable[[Experiment], Sight | None] = lambda _experiment: None
    """The newest look at a run, without waiting for another."""


class Desk:
    """Answers about the experiments of one ledger; raises `Refusal` with what to do."""

    def __init__(self, ledger: StartingLedger, tools: Tools) -> None:
        self._ledger = ledger
        self._tools = tools
        # Looking whether a policy may start and starting it are one act; the ledger has one writing process.
        self._starting = threading.Lock()
        self._records = Records(ledger)
        self._wishing = Wishing(
            *(ledger, self._find, self._answer),
            *(tools.sight, tools.recorded, tools.now_us),
        )
        self._since: dict[str, tuple[int, int]] = {}
        """For each run, the newest entry's number and since when its decision has been the same."""

    def start(self, content: bytes, file: str, caller: Caller, if_match: str | None = None) -> StartedAnswer:
        """Start what a policy's text describes, unless that runs already; a changed one revises its run."""
        reading = self._tools.read(content, file)
        if reading.policy is None:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, *problems_of(reading))
        refuse_unbuilt(reading.policy)
        warnings = tuple(worded(one) for one in reading.findings if one.severity is Severity.WARNING)
        with self._starting:
            self._refuse_blind()
            known = self._known()
            before = known.pop(reading.policy.name, None)
            if before is not None:
                self.refuse_changed(if_match, before)
            others = [run.experiment for run in known.values()]
            if before is not None and stands(before.experiment, reading.policy):
                return StartedAnswer(is_new=False, experiment=self._answer(before), warnings=warnings)
            going_on = before is not None and not is_over(before.experiment)
            own = [before.experiment] if before is not None and going_on else []
            owned = range_beside(others, reading.policy, own, self._tools.refuse_impossible)
            if going_on:
                run, change = self._revise(reading.policy, content.decode(), owned, caller)
                return StartedAnswer(
                    is_new=False, change=change, experiment=self._answer(run), warnings=warnings
                )
            now_us, text = self._tools.now_us(), content.decode()
            act = act_of(caller, "start", reading.policy.name, now_us)
            run = self._ledger.start(reading.policy, now_us, text=text, layer_range=owned, act=act)
        self._tools.recorded()
        return StartedAnswer(is_new=True, experiment=self._answer(run), warnings=warnings)

    def experiments(
        self, *, phase: Phase | None = None, after: str | None = None, limit: int = MAXIMUM_PAGE
    ) -> ExperimentsAnswer:
        """Return a page of experiments, in the order of their starts."""
        return page_of(self._known(), self._answer, phase=phase, after=after, limit=limit)

    def experiment(self, name: str) -> ExperimentAnswer:
        """Return where one experiment stands."""
        return self._answer(self._find(name))

    def history(self, name: str, *, after: int, limit: int) -> HistoryAnswer:
        """Return a page of what was recorded of an experiment's latest run."""
        run = self._find(name).experiment
        return history_answer(run, self._ledger.history(run.uid), after=after, limit=limit)

    def decision(self, name: str, number: int) -> RecordAnswer:
        """Return one decision of an experiment's latest run."""
        return self._records.show(self._find(name).experiment, number)

    def replay(self, name: str, number: int) -> ReplayAnswer:
        """Recompute one decision of an experiment's latest run."""
        return self._records.replay(self._find(name).experiment, number)

    def evidence(self, name: str) -> EvidenceAnswer:
        """Return what the newest look at an experiment rests on."""
        sight = self._tools.sight(self._find(name).experiment)
        if sight is None:
            raise Refusal(HTTPStatus.CONFLICT, unlooked(name))
        return evidence_answer(sight)

    def ask(
        self, name: str, kind: Asked, wanted: WishRequest, caller: Caller, if_match: str | None = None
    ) -> AskedAnswer:
        """Record that a person wants something of a run; it is decided at the next look."""
        return self._wishing.ask(name, kind, wanted, caller, partial(self.refuse_changed, if_match))

    def refuse_changed(self, if_match: str | None, seen: Standing) -> None:
        """Refuse what was asked of another state than the present one, and show that."""
        if not matches(if_match, etag(seen)):
            what, remedy = "it was recorded anew since you saw it", "look again, and ask with its new ETag"
            problem = Problem(seen.experiment.policy.name, what, remedy)
            raise Refusal(HTTPStatus.PRECONDITION_FAILED, problem, present=self._answer(seen))

    def _revise(
        self, policy: Policy, text: str, owned: Range | None, caller: Caller
    ) -> tuple[Standing, Change]:
        """Record a changed policy for the run of its name, and return how that stands."""
        for _ in range(MAXIMUM_TRIES):
            seen, now_us = self._find(policy.name), self._tools.now_us()
            revised = revise(seen.experiment, policy, now_us)
            if isinstance(revised, Unrevisable):
                raise Refusal(HTTPStatus.CONFLICT, unrevisable(seen.experiment, revised))
            revised = replace(revised, layer_range=owned)
            act = act_of(caller, "revise", policy.name, now_us)
            if self._ledger.revise(seen, revised, now_us, text=text, act=act):
                self._tools.recorded()
                is_new = revised.revision > seen.experiment.revision
                standing = replace(seen, experiment=revised, version=seen.version + 1)
                return standing, Change.NEW_REVISION if is_new else Change.AT_ONCE
        raise too_restless(policy.name)

    def report(self, name: str, form: ReportFormat) -> str:
        """Return the report of an experiment's latest run."""
        run = self._find(name).experiment
        degraded = self._tools.degraded(run.policy.name, run.revision)
        fared = (one.sentence for one in degraded_answers(run.policy, degraded))
        troubles = (*broken_split(self._tools.sight(run)), *fared)
        return self._tools.render(run, self._ledger.history(run.uid), form, troubles)

    def _known(self) -> dict[str, Standing]:
        """Return the latest run of each name, in the order of their starts."""
        return {run.experiment.policy.name: run for run in self._ledger.runs()}

    def _find(self, name: str) -> Standing:
        known = self._known()
        if name in known:
            return known[name]
        unread = {one.name: one.problem for one in self._unread()}
        if name in unread:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, unread[name])
        guess = nearest(name, known)
        remedy = f"did you mean '{guess}'?" if guess else "`rollout status` lists every experiment"
        raise Refusal(HTTPStatus.NOT_FOUND, Problem(name, "no such experiment", remedy))

    def _unread(self) -> list[Unread]:
        return [one for one in self._ledger.served() if isinstance(one, Unread)]

    def _refuse_blind(self) -> None:
        """Refuse to start beside a run that cannot be read: whose route and users it has is not known."""
        if unread := self._unread():
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, *(one.problem for one in unread))

    def _answer(self, run: Standing) -> ExperimentAnswer:
        is_live = self._tools.is_live(placement_of(run.experiment))
        degraded = self._tools.degraded(run.experiment.policy.name, run.experiment.revision)
        sight = self._tools.sight(run.experiment)
        return experiment_answer(
            run,
            self._since_us(run),
            is_live=is_live,
            degraded=degraded,
            newest=None if sight is None else newest_look(sight),
            outlook=outlook(run, sight, self._tools.now_us(), is_live=is_live),
        )

    def _since_us(self, run: Standing) -> int:
        """Return since when the last decision has been the same; the history is read once for each entry."""
        if run.last is None:
            return run.experiment.started_us
        uid = run.experiment.uid
        number, since_us = self._since.get(uid, (0, 0))
        if number != run.last.number:
            since_us = unbroken_since_us(run.last, self._ledger.history(uid))
            self._since[uid] = (run.last.number, since_us)
        return since_us
