"""What can be asked about experiments, between HTTP and the ledger: each request is one call here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Protocol

from rollout.api.problems import Refusal
from rollout.api.shapes import experiment_answer, history_answer, is_over, unbroken_since_us
from rollout.client.answers import (
    ExperimentAnswer,
    HistoryAnswer,
    ReportFormat,
    RollbackAnswer,
    RollbackRequest,
    StartedAnswer,
)
from rollout.domain.assignment import Placement, Split
from rollout.domain.experiment import Experiment, Phase, Wish, split_of
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.errors import Problem, WrongTraffic, nearest
from rollout.policyfile.digest import digest
from rollout.policyfile.finding import Severity, place, statement, worded
from rollout.policyfile.reading import DESCRIBED, Reading
from rollout.ports import Ledger, Standing

MAXIMUM_TRIES: Final = 10


class StartingLedger(Ledger, Protocol):
    """The ledger, where runs also begin."""

    def start(self, policy: Policy, now_us: int, *, text: str = "") -> Standing:
        """Record a new run of a policy; raise `RequestRefused` when its name's last run has not ended."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the desk works with."""

    read: Callable[[bytes, str], Reading]
    refuse_impossible: Callable[[Sequence[Placement]], None]
    """Raises `WrongTraffic` when the proxy cannot do what these placements ask for."""
    render: Callable[[Experiment, tuple[Entry, ...], ReportFormat], str]
    recorded: Callable[[], None]
    """Hears that a person changed the ledger, so that nobody waits for the next look."""
    now_us: Callable[[], int]


class Desk:
    """Answers about the experiments of one ledger; raises `Refusal` with what to do."""

    def __init__(self, ledger: StartingLedger, tools: Tools) -> None:
        self._ledger = ledger
        self._tools = tools
        # Looking whether a policy may start and starting it are one act; the ledger has one writing process.
        self._starting = threading.Lock()
        self._since: dict[str, tuple[int, int]] = {}
        """For each run, the newest entry's number and since when its decision has been the same."""

    def start(self, content: bytes, file: str) -> StartedAnswer:
        """Start what a policy's text describes, unless that runs already."""
        reading = self._tools.read(content, file)
        if reading.policy is None:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, *_problems(reading))
        warnings = tuple(worded(one) for one in reading.findings if one.severity is Severity.WARNING)
        with self._starting:
            known = self._known()
            before = known.pop(reading.policy.name, None)
            if before is not None and _stands(before.experiment, reading.policy):
                return StartedAnswer(is_new=False, experiment=self._answer(before), warnings=warnings)
            self._refuse_beside([run.experiment for run in known.values()], reading.policy)
            run = self._ledger.start(reading.policy, self._tools.now_us(), text=content.decode())
        self._tools.recorded()
        return StartedAnswer(is_new=True, experiment=self._answer(run), warnings=warnings)

    def experiments(self) -> tuple[ExperimentAnswer, ...]:
        """Return where every experiment stands."""
        return tuple(self._answer(run) for run in self._known().values())

    def experiment(self, name: str) -> ExperimentAnswer:
        """Return where one experiment stands."""
        return self._answer(self._find(name))

    def history(self, name: str, *, after: int, limit: int) -> HistoryAnswer:
        """Return a page of what was recorded of an experiment's latest run."""
        run = self._find(name).experiment
        return history_answer(run, self._ledger.history(run.uid), after=after, limit=limit)

    def roll_back(self, name: str, wanted: RollbackRequest) -> RollbackAnswer:
        """Record that a person wants a rollback; it is decided at the next look."""
        wish = Wish(who=wanted.who, why=wanted.why, at_us=self._tools.now_us())
        for _ in range(MAXIMUM_TRIES):
            seen = self._find(name)
            if _is_leaving(seen.experiment):
                return RollbackAnswer(is_new=False, experiment=self._answer(seen))
            if is_over(seen.experiment):
                raise Refusal(HTTPStatus.CONFLICT, _too_late(seen.experiment))
            wanting = replace(seen.experiment, rollback_wish=wish)
            if self._ledger.record(seen, wanting, None):
                self._tools.recorded()
                return RollbackAnswer(is_new=True, experiment=self._answer(replace(seen, experiment=wanting)))
        what = f"it moved {MAXIMUM_TRIES} times meanwhile"
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Problem(name, what, "ask again"))

    def report(self, name: str, form: ReportFormat) -> str:
        """Return the report of an experiment's latest run."""
        run = self._find(name).experiment
        return self._tools.render(run, self._ledger.history(run.uid), form)

    def _known(self) -> dict[str, Standing]:
        """Return the latest run of each name, in the order of their starts."""
        return {run.experiment.policy.name: run for run in self._ledger.runs()}

    def _find(self, name: str) -> Standing:
        known = self._known()
        if name in known:
            return known[name]
        guess = nearest(name, known)
        remedy = f"did you mean '{guess}'?" if guess else "`rollout status` lists every experiment"
        raise Refusal(HTTPStatus.NOT_FOUND, Problem(name, "no such experiment", remedy))

    def _answer(self, run: Standing) -> ExperimentAnswer:
        return experiment_answer(run, self._since_us(run))

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

    def _refuse_beside(self, others: Sequence[Experiment], policy: Policy) -> None:
        """Refuse a policy that cannot be served beside the experiments that are."""
        beside = [Placement(run.policy, run.revision, split_of(run)) for run in others]
        try:
            self._tools.refuse_impossible([*beside, Placement(policy, 1, Split())])
        except WrongTraffic as error:
            raise Refusal(HTTPStatus.CONFLICT, *error.problems) from None
        for run in others:
            if run.policy.salt == policy.salt:
                what = f"{run.policy.name} has the salt '{policy.salt}' too"
                remedy = "give each policy a salt of its own: assignment.salt"
                raise Refusal(HTTPStatus.CONFLICT, Problem(policy.name, what, remedy))


def _problems(reading: Reading) -> list[Problem]:
    errors = [finding for finding in reading.findings if finding.severity is Severity.ERROR]
    return [Problem(place(error), statement(error), error.remedy or DESCRIBED) for error in errors]


def _stands(run: Experiment, policy: Policy) -> bool:
    """Return whether a run is this policy's already, or false where a new run may begin; refuse otherwise."""
    same = digest(run.policy) == digest(policy)
    if same and (run.phase is Phase.PROMOTED or not is_over(run)):
        return True
    served = run.policy.candidates[0] if run.phase is Phase.PROMOTED else run.policy.baseline
    if not is_over(run):
        what = f"it is {run.phase} with another policy, started as revision {run.revision}"
        remedy = f"wait for its end, end it with `rollout rollback {policy.name} --why …`, or change the name"
    elif policy.baseline.version != served.version:
        what = f"its route is served by version {served.version}, not by {policy.baseline.version}"
        remedy = f"name {served.version} as the baseline"
    else:
        return False
    raise Refusal(HTTPStatus.CONFLICT, Problem(policy.name, what, remedy))


def _too_late(run: Experiment) -> Problem:
    policy = run.policy
    versions = f"from {policy.candidates[0].version} to {policy.baseline.version}"
    return Problem(policy.name, f"it has ended as {run.phase}", f"start a policy that leads {versions}")


def _is_leaving(run: Experiment) -> bool:
    """Return whether a rollback is wanted, under way or done."""
    return run.rollback_wish is not None or run.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}
