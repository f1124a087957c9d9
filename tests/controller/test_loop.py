"""The due queue: each run at its own pace, no run delayed by a broken one, and a clean stop."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from rollout.controller.figures import BOUNDS_S
from rollout.controller.loop import YOUNG_AT_ONCE, YOUNG_S, Clock, Loop
from rollout.controller.pace import Pace
from rollout.controller.reconcile import Tick
from rollout.controller.workers import Threads
from rollout.domain.experiment import ENDED, Phase
from rollout.domain.wish import Wish
from rollout.errors import Problem, Retry, Stop
from rollout.intake.beside import Beside
from rollout.ports import Standing, Unread
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US
from tests.simulation.fakes import Inline, MemoryLedger

PACE = Pace(jitter=0.0)
LOST = Retry(Problem("outside", "no answer", "ask again"))
WITHIN_S = 30.0
BLOCKED = Stop(Problem("outside", "refused", "a person has to act"))


def done(
    version: int = 1, *problems: Exception, phase: Phase = Phase.RUNNING, overtaken: bool = False
) -> Tick:
    return Tick(replace(EXPERIMENT, phase=phase), version, None, overtaken, problems)


@dataclass
class House:
    """A loop over runs whose ticks a test answers; time is the test's own."""

    pace: Pace = PACE
    now_s: float = 0.0
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    answers: dict[str, Callable[[], Tick | None]] = field(default_factory=dict)
    at_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        clock = Clock(lambda: self.now_s, lambda: NOW_US)
        self.loop = Loop(
            self.ledger, self.tick, pace=self.pace, clock=clock, chance=lambda: 1.0, workers=Inline()
        )

    def add(self, name: str, answer: Callable[[], Tick | None] = done) -> str:
        uid = self.ledger.start(replace(POLICY, name=name), NOW_US).experiment.uid
        self.answers[uid] = answer
        return uid

    def tick(self, uid: str, _now_us: int) -> Tick | None:
        self.at_s[uid].append(round(self.now_s, 6))
        return self.answers[uid]()

    def live(self, until_s: float) -> None:
        while self.now_s <= until_s:
            self.now_s += max(self.loop.turn(), 0.001)


def failing(error: Exception) -> Callable[[], Tick | None]:
    def fail() -> Tick | None:
        raise error

    return fail


def pauses(times: list[float]) -> list[float]:
    return [round(later - earlier, 1) for earlier, later in pairwise(times)]


def test_a_run_is_looked_at_every_interval() -> None:
    house = House()
    uid = house.add("a")
    house.live(until_s=5.5)
    assert pauses(house.at_s[uid]) == [1.0] * 5


@pytest.mark.parametrize("error", [LOST, ZeroDivisionError("a defect")])
@pytest.mark.parametrize("is_raised", [True, False])
def test_a_broken_run_is_asked_ever_less_often_and_delays_nobody(
    error: Exception, *, is_raised: bool
) -> None:
    house = House()
    broken = house.add(
        "broken", failing(error) if is_raised else lambda: done(1, error, phase=Phase.PROMOTED)
    )
    well = house.add("well")
    house.live(until_s=40.5)
    assert pauses(house.at_s[broken]) == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert pauses(house.at_s[well]) == [1.0] * 40


def test_a_run_that_works_again_is_looked_at_as_before() -> None:
    house = House()
    uid = house.add("a", failing(LOST))
    house.live(until_s=7.5)
    house.answers[uid] = done
    house.live(until_s=20.5)
    assert pauses(house.at_s[uid])[-3:] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("phase", set(Phase) - ENDED)
def test_nothing_slows_the_looks_at_what_may_do_harm_or_is_on_its_way(phase: Phase) -> None:
    house = House()
    uid = house.add("a", lambda: done(1, LOST, BLOCKED, phase=phase))
    house.live(until_s=5.5)
    assert pauses(house.at_s[uid]) == [1.0] * 5
    while house.now_s <= 10.0:
        house.loop.hurry({"a"})
        house.loop.turn()
        house.now_s += 0.1
    assert max(pauses(house.at_s[uid])[-10:]) <= 0.3, "evidence hurries them all the same"


def test_what_a_person_has_to_mend_is_asked_for_rarely_once_nothing_is_judged() -> None:
    house = House()
    uid = house.add("a", lambda: done(1, BLOCKED, phase=Phase.STOPPED))
    house.live(until_s=130)
    assert pauses(house.at_s[uid]) == [60.0, 60.0]


def test_an_ended_run_is_kept_as_it_is_at_a_slow_pace() -> None:
    house = House()
    uid = house.add("a", lambda: done(1, phase=Phase.PROMOTED))
    house.live(until_s=61)
    assert pauses(house.at_s[uid]) == [30.0, 30.0]


def test_an_overtaken_tick_is_repeated_at_once() -> None:
    house = House()
    answers = [done(overtaken=True), done()]
    uid = house.add("a", lambda: answers.pop(0) if answers else done())
    house.live(until_s=1.5)
    assert pauses(house.at_s[uid]) == [0.0, 1.0]


def test_what_somebody_recorded_is_due_as_soon_as_the_loop_is_woken() -> None:
    house = House(pace=replace(PACE, interval_s=100.0))
    uid = house.add("a")
    house.now_s += house.loop.turn() / 2
    (seen,) = house.ledger.runs()
    wish = Wish("ann", "why not", NOW_US)
    assert house.ledger.record(seen, replace(seen.experiment, rollback_wish=wish), None)
    house.answers[uid] = lambda: done(2)
    house.loop.turn()
    assert len(house.at_s[uid]) == 1
    house.loop.wake()
    house.loop.turn()
    assert house.at_s[uid] == [0.0, 50.0]
    second = house.add("b")
    house.loop.wake()
    house.loop.turn()
    assert house.at_s[second] == [50.0]


def test_evidence_against_a_candidate_brings_its_next_look_forward_and_no_other() -> None:
    house = House()
    failing, well = house.add("failing"), house.add("well")
    house.loop.turn()
    for house.now_s in (0.1, 0.2, 0.25, 0.3, 0.5):
        house.loop.hurry({"failing"})
        house.loop.turn()
    assert house.at_s[failing] == [0.0, 0.2, 0.5]
    assert house.at_s[well] == [0.0]


def test_evidence_that_comes_during_a_look_is_looked_at_next() -> None:
    house = House()

    def hurried() -> Tick:
        if len(house.at_s[uid]) == 1:
            house.loop.hurry({"a"})
        return done()

    uid = house.add("a", hurried)
    house.live(until_s=1.5)
    assert pauses(house.at_s[uid]) == [0.2, 1.0]


def test_evidence_does_not_hurry_what_is_slow_for_a_reason() -> None:
    house = House()
    ended, blocked = (
        house.add("ended", lambda: done(1, phase=Phase.PROMOTED)),
        house.add("blocked", lambda: done(1, BLOCKED, phase=Phase.PROMOTED)),
    )
    while house.now_s <= 29.5:
        house.loop.hurry({"ended", "blocked"})
        house.loop.turn()
        house.now_s += 0.5
    assert house.at_s[ended] == house.at_s[blocked] == [0.0]


def test_jitter_keeps_runs_out_of_step() -> None:
    pace = Pace(jitter=0.1)
    assert pace.spread(10.0, 0.0) == pytest.approx(9.0)
    assert pace.spread(10.0, 0.5) == pytest.approx(10.0)
    assert pace.spread(10.0, 1.0) == pytest.approx(11.0)


def test_a_ledger_that_cannot_be_read_for_a_while_ends_nothing() -> None:
    class Absent(MemoryLedger):
        is_away = False

        def served(self) -> tuple[Standing | Unread, ...]:
            if self.is_away:
                raise LOST
            return super().served()

    ledger = Absent()
    house = House(ledger=ledger)
    uid = house.add("a")
    house.live(until_s=3.5)
    ledger.is_away = True
    house.live(until_s=10.5)
    ledger.is_away = False
    house.live(until_s=20.5)
    assert len(house.at_s[uid]) >= 15


def test_a_superseded_run_is_forgotten() -> None:
    house = House()
    uid = house.add("a", lambda: None)
    house.live(until_s=1.5)
    (seen,) = house.ledger.runs()
    assert house.ledger.record(seen, replace(seen.experiment, phase=Phase.ROLLED_BACK), None)
    second = house.add("a")
    house.live(until_s=3.5)
    count = len(house.at_s[uid])
    house.live(until_s=6.5)
    assert len(house.at_s[uid]) == count
    assert len(house.at_s[second]) >= 4


def test_in_real_threads_a_run_that_hangs_delays_nobody_and_the_loop_stops() -> None:
    ledger, hang = MemoryLedger(), threading.Event()
    stuck, well = (
        ledger.start(replace(POLICY, name=name), NOW_US).experiment.uid for name in ("stuck", "well")
    )
    ticks: defaultdict[str, int] = defaultdict(int)

    def tick(uid: str, _now_us: int) -> Tick:
        ticks[uid] += 1
        if uid == stuck:
            hang.wait(30)
        return done()

    loop = Loop(ledger, tick, pace=Pace(interval_s=0.01), workers=Threads(2))
    thread = threading.Thread(target=loop.run)
    thread.start()
    deadline = time.monotonic() + 30
    while ticks[well] < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ticks[well] >= 20
    assert ticks[stuck] == 1
    hang.set()
    loop.stop()
    thread.join(30)
    assert not thread.is_alive()
    count = dict(ticks)
    time.sleep(0.05)
    assert dict(ticks) == count


def test_a_loop_says_what_its_looks_cost_and_how_late_they_are() -> None:
    house = House()

    def slow() -> Tick:
        house.now_s += 0.3
        return done(1, LOST)

    house.add("slow", slow)
    second = house.add("well")
    house.live(until_s=0.5)
    figures = house.loop.figures()
    assert (figures.ticks, figures.failures, figures.runs, figures.refused) == (2, 1, 2, 0)
    classes = dict(zip((*BOUNDS_S, math.inf), figures.seconds.counts, strict=True))
    assert {end: number for end, number in classes.items() if number} == {0.005: 1, 0.5: 1}
    assert figures.seconds.total_s == pytest.approx(0.3)
    assert figures.lag.total_s == pytest.approx(0.3), "the second one waited for the first, inline"
    assert (figures.running, figures.due, figures.oldest_due_s) == (0, 0, 0.0)
    house.now_s = 4.0
    figures = house.loop.figures()
    assert figures.due == 2
    assert figures.oldest_due_s == pytest.approx(2.7)
    assert house.at_s[second] == [0.3]


def test_looks_that_hang_are_named_in_figures_with_what_they_keep_waiting() -> None:
    class Full(Inline):
        def begin(self, _name: str, _task: Callable[[], None]) -> bool:
            return False

    ledger, now_s = MemoryLedger(), [0.0]
    ledger.start(POLICY, NOW_US)
    clock = Clock(lambda: now_s[0], lambda: NOW_US)
    loop = Loop(ledger, lambda _uid, _now_us: done(), pace=PACE, clock=clock, workers=Full())
    for now_s[0] in (0.0, 1.5, 2.5, 3.5):
        loop.turn()
    figures = loop.figures()
    assert (figures.refused, figures.ticks, figures.due) == (4, 0, 1)
    assert figures.oldest_due_s == 3.5, "being put off does not make it due anew"


def test_a_source_that_never_answers_keeps_none_of_a_thousand_runs_from_being_looked_at() -> None:
    ledger, hang = MemoryLedger(), threading.Event()
    uids = [ledger.start(replace(POLICY, name=f"p{n}"), NOW_US).experiment.uid for n in range(1_000)]
    beside = Beside[None](Threads(), wait_s=0.05)
    looked_at: defaultdict[str, int] = defaultdict(int)

    def never() -> None:
        hang.wait(60)

    def tick(uid: str, _now_us: int) -> Tick:
        beside.newest(uid, None, never, NOW_US)
        looked_at[uid] += 1
        return done()

    loop = Loop(ledger, tick, pace=Pace(interval_s=0.2))
    thread = threading.Thread(target=loop.run)
    thread.start()
    deadline = time.monotonic() + 60
    while min((looked_at[uid] for uid in uids), default=0) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    loop.stop()
    hang.set()
    thread.join(30)
    assert min(looked_at[uid] for uid in uids) >= 2
    assert loop.figures().ticks >= 2_000


def test_workers_refuse_what_is_over_their_limit() -> None:
    workers, hang = Threads(1), threading.Event()

    def wait() -> None:
        hang.wait(30)

    assert workers.begin("one", wait)
    assert not workers.begin("two", hang.set)
    assert not workers.finish(0.01)
    hang.set()
    assert workers.finish(30)
    assert workers.begin("three", lambda: None)
    assert workers.finish(30)


class Stand:
    """A loop over so many runs, of which each look lasts until the test ends it."""

    def __init__(self, runs: int) -> None:
        self.now_s, ledger = 0.0, MemoryLedger()
        self.changed, self.under_way, self.ended = threading.Condition(), list[str](), set[str]()
        for number in range(runs):
            ledger.start(replace(POLICY, name=f"run{number}"), NOW_US)
        self.names = {one.experiment.uid: one.experiment.policy.name for one in ledger.runs()}
        clock = Clock(lambda: self.now_s, lambda: NOW_US)
        self.loop = Loop(ledger, self.tick, clock=clock, chance=lambda: 0.5, workers=Threads())

    def tick(self, uid: str, _now_us: int) -> Tick:
        name = self.names[uid]
        with self.changed:
            self.under_way.append(name)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: name in self.ended, WITHIN_S)
            self.ended.remove(name)
            self.under_way.remove(name)
        return Tick(replace(EXPERIMENT, uid=uid), 1, None, was_overtaken=False, problems=())

    def begun(self, number: int) -> list[str]:
        """Take a turn, and return whose looks are under way once there are so many."""
        self.loop.turn()
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.under_way) == number, WITHIN_S), self.under_way
            return list(self.under_way)

    def end(self, *names: str) -> None:
        """End these looks."""
        with self.changed:
            self.ended.update(names)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: not self.ended, WITHIN_S)

    def leave(self) -> None:
        """Begin no more looks, and end those that are under way."""
        self.loop.stop()
        with self.changed:
            self.ended.update(self.under_way)
            self.changed.notify_all()


@pytest.fixture
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    made = Stand(request.param)
    yield made
    made.leave()


@pytest.mark.parametrize("stand", [10], indirect=True)
def test_only_a_few_looks_begin_at_once_and_one_that_waits_makes_room(stand: Stand) -> None:
    assert len(stand.begun(YOUNG_AT_ONCE)) == YOUNG_AT_ONCE
    first = stand.begun(YOUNG_AT_ONCE)[0]
    stand.end(first)
    assert first not in stand.begun(YOUNG_AT_ONCE), "another began in its place"
    stand.now_s = YOUNG_S
    stand.begun(2 * YOUNG_AT_ONCE)  # those that last wait for something


@pytest.mark.parametrize("stand", [YOUNG_AT_ONCE + 2], indirect=True)
def test_evidence_goes_before_what_is_only_due(stand: Stand) -> None:
    first, waits, last = stand.begun(YOUNG_AT_ONCE)[0], "run4", "run5"
    assert not {waits, last}.intersection(stand.begun(YOUNG_AT_ONCE))
    stand.loop.hurry({last})
    stand.end(first)
    found = stand.begun(YOUNG_AT_ONCE)
    assert last in found
    assert waits not in found


@pytest.mark.parametrize("stand", [YOUNG_AT_ONCE + 3], indirect=True)
def test_a_thread_goes_on_with_what_is_due_and_nothing_waits_for_the_next_turn(stand: Stand) -> None:
    before = stand.begun(YOUNG_AT_ONCE)
    stand.end(*before[:3])
    with stand.changed:
        assert stand.changed.wait_for(lambda: len(stand.under_way) == YOUNG_AT_ONCE, WITHIN_S)
    assert not set(stand.under_way) & set(before[:3])
