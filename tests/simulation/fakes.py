"""Small stand-ins for the world; each passes the contract of the real adapter where there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rollout.domain.assignment import Placement
from rollout.domain.basis import Basis
from rollout.domain.evidence import Evidence, nothing_known
from rollout.domain.experiment import ENDED, Experiment, JobState, Phase
from rollout.domain.history import Entry
from rollout.domain.job import OUTPUT_CHARACTERS, JobReport, Order
from rollout.domain.policy import LocalCommand, Policy
from rollout.errors import Problem, RequestRefused, Stop
from rollout.ports import Observed, Published, Standing, Unread
from rollout.prometheus.client import Answer
from rollout.prometheus.queries import Asking, Measured
from rollout.store.basis_rows import basis_of, text_of


class MemoryLedger:
    """A ledger that lives as long as the test."""

    def __init__(self) -> None:
        self.unread: dict[str, Unread] = {}
        """Runs that cannot be read for a while, by their uid."""
        self._turn = threading.Lock()
        self._runs: dict[str, Standing] = {}
        self._served: dict[str, str] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._bases: dict[tuple[str, int], Basis] = {}

    def start(self, policy: Policy, now_us: int) -> Standing:
        with self._turn:
            before = self._served.get(policy.name)
            revision = 1
            if before is not None:
                run = self._runs[before].experiment
                if run.phase not in ENDED and not run.rollback_failed:
                    raise RequestRefused(Problem(policy.name, f"its run is {run.phase}", "wait for its end"))
                if run.wish is not None:
                    raise RequestRefused(Problem(policy.name, f"{run.wish.kind} is asked of it", "ask again"))
                revision = run.revision + 1
                del self._served[policy.name]
            uid = f"{len(self._runs) + 1:08d}"
            experiment = Experiment(uid, policy, revision, Phase.RUNNING, 0, now_us, now_us, now_us)
            self._runs[uid] = Standing(experiment, 1)
            self._served[policy.name] = uid
            self._entries[uid] = []
            return self._runs[uid]

    def runs(self) -> tuple[Standing, ...]:
        with self._turn:
            return tuple(self._runs[uid] for uid in self._served.values())

    def served(self) -> tuple[Standing | Unread, ...]:
        return tuple(self.unread.get(one.experiment.uid, one) for one in self.runs())

    def run(self, uid: str) -> Standing | None:
        if uid in self.unread:
            raise Stop(self.unread[uid].problem)
        return next((one for one in self.runs() if one.experiment.uid == uid), None)

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        uid = seen.experiment.uid
        if experiment.uid != uid:
            raise ValueError(f"{experiment.uid} is not what was seen as {uid}")
        if entry is not None and entry.number != (seen.last.number if seen.last else 0) + 1:
            raise ValueError(f"entry {entry.number} does not follow")
        if entry is not None and (entry.revision, entry.policy) != (experiment.revision, experiment.policy):
            raise ValueError(f"entry {entry.number} rests on another policy")
        if basis is not None and (basis.before, basis.after) != (seen.experiment, experiment):
            raise ValueError("a basis is of another step")
        with self._turn:
            if self._runs[uid].version != seen.version or uid not in self._served.values():
                return False
            self._runs[uid] = Standing(experiment, seen.version + 1, entry or seen.last)
            if entry is not None:
                self._entries[uid].append(entry)
                if basis is not None:
                    self._bases[uid, entry.number] = basis
            return True

    def basis(self, uid: str, number: int) -> Basis | None:
        with self._turn:
            found = self._bases.get((uid, number))
        # As another process reads it: a fake's memory would hide what is not written down.
        return None if found is None else basis_of(text_of(found), found.before.policy)

    def revise(self, seen: Standing, experiment: Experiment, now_us: int) -> bool:
        del now_us  # nobody asks a fake when a policy was changed
        before = seen.experiment
        if experiment.uid != before.uid or experiment.revision - before.revision not in {0, 1}:
            raise ValueError(f"{experiment.uid} does not follow {before.uid}")
        with self._turn:
            if self._runs[experiment.uid].version != seen.version:
                return False
            self._runs[experiment.uid] = Standing(experiment, seen.version + 1, seen.last)
            return True

    def history(self, uid: str) -> tuple[Entry, ...]:
        with self._turn:
            return tuple(self._entries[uid])


class MemoryJobs:
    """Actions that run until the test, a stop or their deadline ends them; every start is written down."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.told: dict[str, dict[str, str]] = {}
        self.failure: Exception | None = None
        self.outlives_stops = False
        """Whether an action goes on for a while after it was asked to end."""
        self._turn = threading.Lock()
        self._orders: dict[str, Order] = {}
        self._reports: dict[str, JobReport] = {}
        self._begun_s: dict[str, float] = {}

    def start(self, order: Order) -> None:
        if self.failure is not None:
            raise self.failure
        with self._turn:
            if self._known(order, whole=True):
                return
            self._orders[order.name] = order
            self._begun_s[order.name] = time.monotonic()
            self.begun.append(order.name)
            self.told[order.name] = dict(order.variables)
            self._reports[order.name] = _begun(order)

    def report(self, order: Order) -> JobReport | None:
        if not self._known(order, whole=True):
            return None
        known = self._reports[order.name]
        is_over = time.monotonic() - self._begun_s[order.name] >= order.action.deadline_s
        if known.state is JobState.RUNNING and is_over:
            known = self._reports[order.name] = replace(
                known, state=JobState.LATE, message="past its deadline"
            )
        return known

    def stop(self, order: Order) -> None:
        if not self._known(order, whole=False):
            self._orders[order.name], self._begun_s[order.name] = order, time.monotonic()
            self._reports[order.name] = JobReport(JobState.FAILED, "stopped before it began")
        elif not self.outlives_stops:
            self._end(order.name, JobState.FAILED)

    def end(self, name: str, state: JobState) -> None:
        """Have an action end."""
        self._reports[name] = JobReport(state)

    def state(self, name: str) -> JobState | None:
        """Return how an action stands, without looking at the time."""
        known = self._reports.get(name)
        return None if known is None else known.state

    def _end(self, name: str, state: JobState) -> None:
        if self._reports[name].state is JobState.RUNNING:
            self._reports[name] = replace(self._reports[name], state=state, message="stopped")

    def _known(self, order: Order, *, whole: bool) -> bool:
        """Return whether an order was begun; another one of its name is a problem."""
        known = self._orders.get(order.name)
        if known is None:
            return False
        if known.uid != order.uid or (whole and known.fingerprint != order.fingerprint):
            raise Stop(Problem(order.name, "was begun as another order", "look who began it"))
        return True


def _begun(order: Order) -> JobReport:
    """Return what becomes of an action: the commands of these tests say how they end.

    `sleep` goes on until it is ended from outside.
    """
    assert isinstance(order.action, LocalCommand)
    program, *arguments = order.action.command
    ends = dict.fromkeys(("true", "echo", "env"), JobState.SUCCEEDED) | {"false": JobState.FAILED}
    output = " ".join(arguments) if program == "echo" else ""
    if program == "env":
        output = "\n".join(f"{name}={value}" for name, value in order.variables.items())
    return JobReport(ends.get(program, JobState.RUNNING), output=output[-OUTPUT_CHARACTERS:])


class MemoryTraffic:
    """A proxy that follows what it is told, and keeps every split that it was told."""

    def __init__(self) -> None:
        self.live: tuple[Placement, ...] = ()
        self.publications: list[tuple[Placement, ...]] = []
        self.refusal: str | None = None

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        if self.refusal is not None:
            return Published(is_live=False, refusal=self.refusal)
        placements += tuple(one for one in self.live if one.policy.name in kept)
        if placements != self.live:
            self.live = placements
            self.publications.append(placements)
        return Published(is_live=True)


class Inline:
    """Carries every task out at once."""

    def begin(self, _name: str, task: Callable[[], None]) -> bool:
        task()
        return True

    def finish(self, _within_s: float) -> bool:
        return True


class MemoryEvidence:
    """Evidence of runs as a test told it; of any other run nothing is known."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._told: dict[str, Evidence] = {}

    def tell(self, uid: str, evidence: Evidence) -> None:
        self._told[uid] = evidence

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        del now_us  # a fake's evidence does not age
        if self.failure is not None:
            raise self.failure
        return Observed(self._told.get(experiment.uid) or nothing_known(experiment.policy))


class MemoryMetrics:
    """A metrics server with the values that a test wrote down, by query and second."""

    def __init__(self) -> None:
        self.values: dict[str, dict[float, float]] = {}
        self.problem: Problem | None = None
        """What is wrong while it measures nothing."""
        self.asked: list[Asking] = []
        self.may_answer: threading.Event | None = None
        """What every answer waits for, if set."""

    def ask(self, askings: Sequence[Asking]) -> tuple[Answer, ...]:
        self.asked += askings
        if self.may_answer is not None:
            self.may_answer.wait(60)
        return tuple(self._answer(one) for one in askings)

    def _answer(self, asking: Asking) -> Answer:
        if self.problem is not None:
            return Answer(None, self.problem)
        known = {round(at * 1_000): value for at, value in self.values.get(asking.query, {}).items()}
        found = {at: known[at] for at in asking.times if at in known}
        return Answer(Measured(found, asking.times[-1]))
