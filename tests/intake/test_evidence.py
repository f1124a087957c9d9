"""What a look is told equals the obvious recount of everything filed, and what is unknown is absent."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.controller.workers import Workers
from rollout.domain.evidence import ArmEvidence, ClosedFractions, Evidence, LimitEvidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import FALLBACK, Patience, judge
from rollout.domain.policy import Hold, Policy, Step
from rollout.domain.quality import Told as ToldRows
from rollout.domain.records import Run
from rollout.domain.verdict import Finding, Judgement
from rollout.intake.evidence import RecordedEvidence
from rollout.lake.accounts.books import Books
from rollout.lake.accounts.filed import Cursors
from rollout.lake.engine import connect
from rollout.lake.outcomes import write_outcomes
from rollout.lake.segments import Kind
from rollout.stats.moments import JointMoments
from rollout.store.counts import LARGEST_TABLE, Told
from rollout.store.losses import Lost
from tests.domain.examples import POLICY
from tests.intake import recount
from tests.intake.house import LOG, NOW_US, House, hand_in, opened
from tests.lake import histories, oracle
from tests.lake.histories import BEGIN_US, CLOSING, LIMIT_US, OUTCOMES, REQUESTS, RUN, Request, request_at
from tests.simulation.fakes import Inline

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
PATIENCE = Patience(grace_us=CLOSING.grace_us)
STARTED_US = BEGIN_US - SECOND_US
MIDNIGHT_US = BEGIN_US + 12 * SECOND_US
COMPARED = ("control", "holdback", "rest")


RANKER = replace(
    POLICY,
    name=RUN.experiment,
    metrics=tuple(
        replace(metric, name=name, window_s=10.0)
        for metric, name in zip(POLICY.metrics, ("bought", "errors", "p99"), strict=True)
    ),
    steps=(Step(1_000, Hold()), Step(5_000, Hold())),
)


def experiment(policy: Policy = RANKER, *, started_us: int = STARTED_US, entered_us: int = 0) -> Experiment:
    entered = entered_us or started_us
    return Experiment("a1b2", policy, RUN.revision, Phase.RUNNING, 1, started_us, entered, started_us)


@dataclass(frozen=True)
class Place:
    """A house with its clock and the evidence that is read from it."""

    house: House
    clock: list[int]
    source: RecordedEvidence

    def file(
        self, requests: Sequence[Request], outcomes: Sequence[histories.Told] = (), *, node: str = "node-1"
    ) -> None:
        """Hand in one node's requests, and what the application tells."""
        hand_in(self.house.intake, requests, node=node)
        self.tell(outcomes)

    def tell(self, outcomes: Sequence[histories.Told]) -> None:
        """Hand in what the application tells."""
        if outcomes:
            path = self.house.folder / "outcomes.parquet"
            write_outcomes(connect(), histories.as_outcomes(outcomes), path)
            start = self.house.counts.cursor("app-1", LOG)
            self.house.intake.accept(
                Told(Kind.OUTCOMES, "app-1", LOG, start, start + 1, 0, 0), path.read_bytes()
            )

    def filed_until(self, watermark_us: int) -> None:
        """Every proxy and the application say that everything before is filed."""
        self.proxies_until(watermark_us)
        self._until(Kind.OUTCOMES, "app-1", watermark_us)

    def proxies_until(self, watermark_us: int) -> None:
        nodes = {mark.node for mark in self.house.counts.nodes() if mark.kind == Kind.EXPOSURES} | {"node-1"}
        for node in nodes:
            self._until(Kind.EXPOSURES, node, watermark_us)

    def _until(self, kind: Kind, node: str, watermark_us: int) -> None:
        self.clock[0] = max(self.clock[0], watermark_us)
        cursor = self.house.counts.cursor(node, LOG)
        self.house.intake.accept(Told(kind, node, LOG, cursor, cursor, watermark_us, 0), b"")

    def look(self, run: Experiment, at_us: int) -> Evidence:
        self.clock[0] = at_us
        return self.source.observe(run, at_us).evidence

    def arm(self, run: Experiment, at_us: int) -> ArmEvidence:
        """Return what a look is told of the one candidate."""
        (found,) = self.look(run, at_us).arms
        return found


def opened_books(folder: Path, cursors: Cursors) -> Books:
    return Books(folder, cursors=cursors)


@contextmanager
def place(
    run: Experiment,
    *,
    rows: int = LARGEST_TABLE,
    patience: Patience = PATIENCE,
    books_of: Callable[[Path, Cursors], Books] = opened_books,
    workers: Workers | None = None,
) -> Iterator[Place]:
    """Yield a place over a new folder; a first look has its limit counted from the first request on."""
    clock = [NOW_US]
    with (
        tempfile.TemporaryDirectory() as name,
        opened(Path(name), now_us=lambda: clock[0], rows=rows) as house,
    ):
        source = RecordedEvidence(
            house.counts,
            books_of(house.folder / "lake", house.counts.cursors),
            patience=patience,
            workers=workers or Inline(),
        )
        found = Place(house, clock, source)
        found.look(run, NOW_US)
        yield found
        assert source.finish(60.0)


def begins(now_us: int, every_us: int, started_us: int = STARTED_US) -> list[int]:
    """Every start of the last hour, beginning with the first one of all."""
    later = range(started_us + every_us, now_us + 1, every_us)
    return [started_us, *(begin for begin in later if begin > now_us - 60 * MINUTE_US)]


def first_errors(
    requests: Sequence[Request], starts: Sequence[int]
) -> tuple[list[list[int]], list[list[int]]]:
    """Candidate and comparison units whose first error since each start was under split 1 and 2."""
    tables = []
    for arms in (("candidate1",), COMPARED):
        table = []
        for begin in starts:
            firsts = [
                next((event for event in own if event[0] >= begin or begin == starts[0]), None)
                for own in recount.errors(requests).values()
            ]
            counted = Counter(first[2] for first in firsts if first and first[1] in arms)
            table.append([counted[1], counted[2]])
        tables.append(table)
    return tables[0], tables[1]


def recent(requests: Sequence[Request], now_us: int) -> tuple[int, ...]:
    """Return this and the last minute's requests and errors: the candidate's, then the comparison's."""
    found = []
    for arms in (("candidate1",), COMPARED):
        own = [
            sums
            for (name, revision, _, arm, minute), sums in recount.tallies(requests).items()
            if (name, revision) == ("ranker", 3) and arm in arms and minute >= now_us // MINUTE_US - 1
        ]
        found += [sum(sums[0] for sums in own), sum(sums[1] for sums in own)]
    return tuple(found)


def check_moments(
    found: JointMoments, place: int | tuple[int, ...], pairs: Sequence[tuple[int, int]]
) -> None:
    """Compare moments with those of plain pairs (y, x)."""
    assert found.n[place] == len(pairs)
    if pairs:
        values = np.array(pairs, dtype=np.float64)
        assert np.allclose(found.mean[place], values.mean(axis=0))
        centred = values - values.mean(axis=0)
        assert np.allclose(found.scatter[place], centred.T @ centred)


def check_fractions(found: ClosedFractions | None, requests: Sequence[Request], kind: str) -> None:
    """Compare the candidate's closed units with those of the oracle."""
    counted = {"errors": oracle.failed, "fallbacks": oracle.fell_back, "slow": oracle.too_slow}[kind]
    assert found is not None
    own = [unit.in_window() for unit in oracle.closed(requests).values() if unit.arm == "candidate1"]
    pairs = [(sum(map(counted, requests)), len(requests)) for requests in own]
    assert found.units == len(pairs)
    assert found.fraction_sum == pytest.approx(sum(y / x for y, x in pairs))
    check_moments(found.totals, (), pairs)


def check_limit(
    found: LimitEvidence, requests: Sequence[Request], now_us: int, starts: Sequence[int], outages: set[int]
) -> None:
    """Compare windows and unit totals with a recount that knows which minutes were outages."""
    cells = {
        (unit, window): pair
        for (arm, unit, window), pair in recount.unit_windows(requests).items()
        if arm == "candidate1" and window * 10 * SECOND_US // MINUTE_US not in outages
    }
    assert len(found.windows) == len(starts)
    for number, begin in enumerate(starts):
        since = {key: pair for key, pair in cells.items() if number == 0 or key[1] * 10 * SECOND_US >= begin}
        ended = [pair for (_, window), pair in since.items() if (window + 1) * 10 * SECOND_US <= now_us]
        assert found.windows[number] == len(ended)
        nano = sum(floor(Fraction(y, x) * 10**9) for x, y in ended)
        assert found.window_fractions[number] == pytest.approx(nano / 1e9)
        units: Counter[int] = Counter()
        slow: Counter[int] = Counter()
        for (unit, _), (x, y) in since.items():
            units[unit] += x
            slow[unit] += y
        check_moments(found.totals, number, [(slow[unit], x) for unit, x in units.items()])
        assert found.exceeding_units[number] == sum(y > 0 for y in slow.values())


def check_closed(found: ArmEvidence, requests: list[Request], outcomes: list[histories.Told]) -> None:
    """Compare everything that rests on closed units; harm is looked for with and without any."""
    successes = oracle.successes(requests, outcomes, "bought")
    assert ("bought" in found.binary) == bool(successes)
    assert (set(found.errors), set(found.limits)) == ({"errors"}, {"p99"})
    if not successes:
        assert found.fallbacks is None
        return
    days = sorted({day for _, _, day in successes})
    binary = found.binary["bought"]
    for arm, units, hits in (
        ("control", binary.control_units, binary.control_successes),
        ("candidate1", binary.candidate_units, binary.candidate_successes),
    ):
        cells = [[successes.get((arm, block, day), (0, 0)) for block in (1, 2)] for day in days]
        assert np.dstack([units, hits]).tolist() == [[list(cell) for cell in row] for row in cells]
    errors = found.errors["errors"]
    closed = oracle.closed(requests).values()
    for arm, moments, nonzero in (
        ("control", errors.ratio.control, errors.ratio.control_nonzero),
        ("candidate1", errors.ratio.candidate, errors.ratio.candidate_nonzero),
    ):
        for place, block in enumerate((1, 2)):
            own = [unit.in_window() for unit in closed if (unit.arm, unit.block) == (arm, block)]
            check_moments(moments, place, [(sum(map(oracle.failed, one)), len(one)) for one in own])
        failing = [unit for unit in closed if unit.arm == arm and any(map(oracle.failed, unit.in_window()))]
        assert nonzero == len(failing)
    check_fractions(errors.fractions, requests, "errors")
    check_fractions(found.limits["p99"].fractions, requests, "slow")
    check_fractions(found.fallbacks, requests, "fallbacks")


@settings(max_examples=15)
@given(
    requests=st.lists(REQUESTS, max_size=30),
    outcomes=st.lists(OUTCOMES, max_size=12),
    later_s=st.sampled_from([0, 15, 3500, 3585]),
)
def test_a_look_equals_a_recount(
    requests: list[Request], outcomes: list[histories.Told], later_s: int
) -> None:
    now_us = NOW_US + later_s * SECOND_US
    entered_us = BEGIN_US + 5 * SECOND_US
    run = experiment(entered_us=entered_us)
    with place(run) as here:
        here.file(requests, outcomes)
        here.filed_until(CLOSING.watermark_us)
        found = here.look(run, now_us)
    assert found.watermark_us == CLOSING.watermark_us
    enrolled, _ = oracle.enrolment(requests)
    arms = ("control", "candidate1")
    assert found.enrolled.tolist() == [[enrolled.get((arm, block), 0) for arm in arms] for block in (1, 2)]
    in_step, _ = oracle.enrolment(requests, entered_us)
    assert found.units_in_step.tolist() == [
        sum(count for (owner, _), count in in_step.items() if owner == arm) for arm in arms
    ]
    (own,) = found.arms
    check_closed(own, requests, outcomes)
    if own.errors:
        first = own.errors["errors"].first
        starts = begins(now_us, 10 * SECOND_US)
        assert (first.candidate.tolist(), first.comparison.tolist()) == first_errors(requests, starts)
        assert first.share.tolist() == [0.1, 0.5]
        assert recent(requests, now_us) == (
            *(first.candidate_requests, first.candidate_errors),
            *(first.comparison_requests, first.comparison_errors),
        )
        check_limit(own.limits["p99"], requests, now_us, begins(now_us, 600 * SECOND_US), set())


def test_what_can_not_have_closed_is_unclear_and_later_it_is_missing() -> None:
    run = experiment()
    closes_us = STARTED_US + CLOSING.window_us + CLOSING.grace_us
    with place(run) as here:
        for watermark_us, finding in ((closes_us - 1, Finding.UNCLEAR), (closes_us, Finding.MISSING)):
            here.filed_until(watermark_us)
            found = here.look(run, NOW_US)
            (own,) = found.arms
            assert (own.binary, own.fallbacks) == ({}, None)
            judged = judge(run, found, NOW_US, PATIENCE)
            # Harm is looked for at every look, and missing is what units should have proven by now.
            assert (set(own.errors), set(own.limits)) == ({"errors"}, {"p99"})
            assert all(verdict.is_immature == (finding is Finding.UNCLEAR) for verdict in judged.verdicts[:3])
            assert [verdict.finding for verdict in judged.verdicts[:3]] == [finding] * 3
        here.file([request_at(-SECOND_US)])
        assert set(here.arm(run, NOW_US).binary) == {"bought"}


def test_while_the_first_user_s_window_is_open_nothing_is_missing() -> None:
    run, came_us = experiment(), CLOSING.grace_us
    closes_us = STARTED_US + came_us + CLOSING.window_us + CLOSING.grace_us
    with place(run) as here:
        here.file([request_at(STARTED_US + came_us - BEGIN_US)])
        for watermark_us, is_immature in ((closes_us - 1, True), (closes_us, False)):
            here.filed_until(watermark_us)
            judged = judge(run, here.look(run, NOW_US), NOW_US, PATIENCE)
            findings = {verdict.metric: verdict.finding for verdict in judged.verdicts}
            assert Finding.MISSING not in findings.values()
            assert judged.verdicts[0].is_immature == is_immature


def test_failing_requests_are_harm_before_any_unit_has_closed() -> None:
    run = experiment()
    with place(run) as here:
        now_us = STARTED_US + 20 * SECOND_US
        here.file(
            [
                request_at(
                    number * SECOND_US // 10,
                    unit=f"user-{number}",
                    route=f"ranker/{arm}/1",
                    code=500 if arm == "candidate1" else 200,
                )
                for number, arm in enumerate(["candidate1", "control"] * 80)
            ]
        )
        here.filed_until(now_us)
        judged = judge(run, here.look(run, now_us), now_us, PATIENCE)
    verdicts = {verdict.metric: verdict for verdict in judged.verdicts}
    assert verdicts["errors"].finding is Finding.HARMED


def test_units_close_for_the_proxy_before_the_application_has_told() -> None:
    run = experiment()
    with place(run) as here:
        here.file([request_at(0)])
        here.proxies_until(NOW_US)
        found = here.look(run, NOW_US)
    assert (found.watermark_us, found.fast_watermark_us) == (None, NOW_US)
    assert (set(found.arms[0].binary), set(found.arms[0].errors)) == (set(), {"errors"})


def test_a_long_error_window_does_not_make_the_fallback_missing() -> None:
    long = replace(RANKER, metrics=(replace(RANKER.metrics[1], window_s=3600.0),))
    run, now_us = experiment(long), STARTED_US + 20 * MINUTE_US
    with place(run) as here:
        here.file([request_at(0, route="ranker/candidate1/1")])
        here.filed_until(now_us)
        found = here.look(run, now_us)
        verdicts = {verdict.metric: verdict for verdict in judge(run, found, now_us, PATIENCE).verdicts}
    assert verdicts["errors"].is_immature
    assert verdicts[FALLBACK].finding is not Finding.MISSING


def test_start_0_remembers_what_is_older_than_an_hour() -> None:
    run = experiment()
    old = [request_at(n, unit=f"u{n}", route="ranker/candidate1/1", code=500) for n in range(4)]
    again_s = 2 * 3600
    new = [
        request_at(again_s * SECOND_US + n, unit=f"u{n + 2}", route="ranker/candidate1/1", code=500)
        for n in range(5)
    ]
    now_us = BEGIN_US + (again_s + 30) * SECOND_US
    with place(run) as here:
        here.file(old)
        here.clock[0] = now_us
        here.file(new, node="node-2")
        here.filed_until(now_us)
        first = here.arm(run, now_us).errors["errors"].first
    starts = begins(now_us, 10 * SECOND_US)
    assert (first.candidate.tolist(), first.comparison.tolist()) == first_errors(old + new, starts)
    assert first.candidate[0].tolist() == [4, 3]


def slow_history(seed: int) -> list[Request]:
    """Twenty-five minutes of few users; both arms break the limit in the first minute after midnight."""
    chance = random.Random(seed)  # noqa: S311 (a history, no secret)
    found = []
    for _ in range(900):
        since_us = chance.randrange(12 * SECOND_US, 25 * MINUTE_US)
        arm, is_slow = chance.choice(["control", "candidate1"]), chance.random() < 0.01
        found.append(
            request_at(
                since_us,
                unit=f"{arm}{chance.randrange(30)}",
                route=f"ranker/{arm}/1",
                dur_us=LIMIT_US + is_slow,
            )
        )
    outage = [
        request_at(12 * SECOND_US + n * 800_000, unit=f"x{n}", route=f"ranker/{arm}/1", dur_us=LIMIT_US + 1)
        for n in range(70)
        for arm in ("control", "candidate1")
    ]
    last = [request_at(25 * MINUTE_US - 1, unit="last", route="ranker/candidate1/1", dur_us=LIMIT_US + 1)]
    return sorted(found + outage + last, key=oracle.time_of)


def test_the_limit_is_counted_since_each_start_without_shared_outages() -> None:
    run = experiment(started_us=MIDNIGHT_US)
    requests, now_us = slow_history(5), BEGIN_US + 25 * MINUTE_US
    with place(run) as here:
        here.clock[0] = now_us
        here.file(requests)
        here.filed_until(now_us)
        found = here.arm(run, now_us).limits["p99"]
    starts = begins(now_us, 600 * SECOND_US, MIDNIGHT_US)
    assert len(starts) == 3
    assert found.exceeding_units[0] < 30
    check_limit(found, requests, now_us, starts, {MIDNIGHT_US // MINUTE_US})
    assert not found.outage_dominates


def test_an_outage_dominates_while_it_fills_more_than_half_of_a_short_life() -> None:
    run = experiment(started_us=MIDNIGHT_US)
    with place(run) as here:
        here.file(slow_history(5))
        here.filed_until(MIDNIGHT_US + 100 * SECOND_US)
        seen = [
            here.arm(run, MIDNIGHT_US + after_s * SECOND_US).limits["p99"].outage_dominates
            for after_s in (100, 119, 120)
        ]
    assert seen == [True, True, False]


def test_counts_that_lack_something_make_only_their_metrics_absent() -> None:
    run = experiment()
    with place(run, rows=3) as here:
        here.file([request_at(n, unit=f"u{n}", code=500) for n in range(3)])
        here.filed_until(NOW_US)
        own = here.arm(run, NOW_US)
        assert (set(own.errors), set(own.limits)) == ({"errors"}, {"p99"})
        here.file([request_at(9, unit="one more", code=500)], node="node-2")
        here.filed_until(NOW_US)
        found = here.look(run, NOW_US)
        own = found.arms[0]
        assert (set(own.errors), set(own.limits), set(own.binary)) == (set(), set(), {"bought"})
        findings = {one.metric: one.finding for one in judge(run, found, NOW_US, PATIENCE).verdicts}
        assert findings["errors"] is findings["p99"] is Finding.MISSING
        assert found.quality.unmeasured["p99"] == (
            "its table is full (3 rows): 1 were left out; "
            "raise counted_rows_limit, and go on as a new revision"
        )


UNITS = 1500
LIVE = replace(
    RANKER,
    metrics=(
        replace(RANKER.metrics[0], window_s=60.0),
        replace(RANKER.metrics[1], window_s=60.0, floor=0.05),
        replace(RANKER.metrics[2], window_s=60.0, quantile=0.9),
    ),
)


def judged(error_rate: float, bought_rate: float, *, blocks: int, lost: Sequence[Lost] = ()) -> Judgement:
    """Return the look after five minutes at a candidate beside a control of 1 % errors and 10 % bought."""
    chance = random.Random(7)  # noqa: S311 (a history, no secret)
    run = experiment(LIVE, started_us=MIDNIGHT_US)
    now_us = MIDNIGHT_US + 5 * MINUTE_US
    requests, outcomes = [], []
    for arm, errors, bought in (("control", 0.01, 0.1), ("candidate1", error_rate, bought_rate)):
        for number in range(UNITS):
            since_us = 12 * SECOND_US + number * 5 * MINUTE_US // UNITS
            code = 500 if chance.random() < errors else 200
            route, unit = f"ranker/{arm}/{1 + number % blocks}", f"{arm} {number}"
            requests.append(request_at(since_us, unit=unit, route=route, code=code))
            if chance.random() < bought:
                outcomes.append(histories.Told(unit, "bought", BEGIN_US + since_us + SECOND_US, 1, ""))
    with place(run) as here:
        here.clock[0] = now_us
        here.file(sorted(requests, key=oracle.time_of), outcomes)
        here.filed_until(now_us)
        here.house.counts.note_losses("node-1", lost, now_us)
        return judge(run, here.look(run, now_us), now_us, Patience())


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_failing_candidate_is_harmed_in_a_whole_look(blocks: int) -> None:
    found = judged(0.30, 0.1, blocks=blocks)
    verdicts = {verdict.metric: verdict.finding for verdict in found.verdicts}
    assert verdicts["errors"] is verdicts["p99"] is Finding.HARMED
    assert verdicts["bought"] is Finding.UNCLEAR
    assert found.split_holds
    assert found.evidence_is_fresh


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_healthy_candidate_is_proven_in_a_whole_look(blocks: int) -> None:
    found = judged(0.01, 0.3, blocks=blocks)
    assert {verdict.metric: verdict.finding for verdict in found.verdicts} == {
        "bought": Finding.BETTER,
        "errors": Finding.SAFE,
        "p99": Finding.SAFE,
        FALLBACK: Finding.SAFE,
    }
    assert found.first(Finding.HARMED) is None
    assert found.split_holds
    assert found.evidence_is_fresh


@pytest.mark.parametrize("owner", [RUN, None])
def test_while_records_of_a_run_are_lost_nothing_is_proven_and_harm_is_still_seen(owner: Run | None) -> None:
    lost = [Lost(owner, Kind.EXPOSURES, rows=0, to_us=MIDNIGHT_US + MINUTE_US)]
    healthy = judged(0.01, 0.3, blocks=1, lost=lost)
    assert {verdict.finding for verdict in healthy.verdicts} == {Finding.MISSING}
    assert {verdict.why for verdict in healthy.verdicts} == {
        "node-1 lost records (exposures: nobody knows how many), and they may be this run's"
    }
    assert not any(healthy.latches.values()), "nothing is proven by the rest"
    failing = judged(0.30, 0.1, blocks=1, lost=lost)
    harmed = {verdict.metric for verdict in failing.verdicts if verdict.finding is Finding.HARMED}
    assert harmed == {"errors", "p99"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        Lost(Run("other", RUN.revision), Kind.EXPOSURES, rows=9, to_us=MIDNIGHT_US + MINUTE_US),
        Lost(Run(RUN.experiment, RUN.revision - 1), Kind.EXPOSURES, rows=9, to_us=MIDNIGHT_US + MINUTE_US),
        Lost(None, Kind.EXPOSURES, rows=9, to_us=MIDNIGHT_US - 1),
    ],
)
def test_what_others_lost_or_what_was_lost_before_a_run_began_holds_nothing(elsewhere: Lost) -> None:
    found = judged(0.01, 0.3, blocks=1, lost=[elsewhere])
    assert {verdict.finding for verdict in found.verdicts} == {Finding.BETTER, Finding.SAFE}
    assert found.evidence_is_fresh


def test_a_node_tells_its_sums_again_and_again_and_they_never_fall() -> None:
    run = experiment()
    with place(run) as here:
        counts = here.house.counts
        for rows, node in ((5, "node-1"), (5, "node-1"), (2, "node-1"), (7, "node-2")):
            counts.note_losses(node, [Lost(RUN, Kind.EXPOSURES, rows, NOW_US + MINUTE_US)], NOW_US)
        told = {(one.kind, one.node): one.rows for one in counts.lost(RUN, since_us=NOW_US)}
        assert told == {(Kind.EXPOSURES, "node-1"): 5, (Kind.EXPOSURES, "node-2"): 7}
        assert not counts.lost(RUN, since_us=NOW_US + 1), "a clock ahead marks nothing to come"
        assert counts.incomplete(RUN) == {}, "the fast counts lack nothing of what was filed"


def test_a_mark_from_the_future_is_cut_at_the_present_and_falls_when_the_clock_is_right_again() -> None:
    run = experiment()
    with place(run) as here:
        counts, hour_us = here.house.counts, 60 * MINUTE_US

        def tell(watermark_us: int, at_us: int) -> int | None:
            here.clock[0] = at_us
            cursor = counts.cursor("node-1", LOG)
            here.house.intake.accept(
                Told(Kind.EXPOSURES, "node-1", LOG, cursor, cursor, watermark_us, 0), b""
            )
            return counts.watermark(at_us, kinds=(Kind.EXPOSURES,), is_fast=True)

        assert tell(NOW_US - 5, NOW_US) == NOW_US - 5
        assert tell(NOW_US - 9, NOW_US) == NOW_US - 5, "what was filed stays filed"
        assert tell(NOW_US + hour_us, NOW_US + 1) == NOW_US + 1, "a node's clock is ahead"
        # The control plane's own clock jumps ahead by an hour, and is set back.
        assert tell(NOW_US + hour_us - 5, NOW_US + hour_us) == NOW_US + hour_us - 5
        for is_fast in (False, True):
            assert counts.watermark(NOW_US + 10, kinds=(Kind.EXPOSURES,), is_fast=is_fast) is None
        assert tell(NOW_US + 5, NOW_US + 10) == NOW_US + 5
        (mark,) = counts.nodes()
        assert mark.seen_us == NOW_US + 10, "or a silent node would be thought alive for an hour"


def test_records_that_left_the_lake_hold_every_metric_by_their_bytes_until_they_are_back() -> None:
    run = experiment()
    with place(run) as here:
        here.file([request_at(2), request_at(3, unit="v", code=500)])
        here.filed_until(NOW_US)
        assert {one.why for one in judge(run, here.look(run, NOW_US), NOW_US, PATIENCE).verdicts} == {None}
        (path,) = (here.house.folder / "lake" / Kind.EXPOSURES).glob("*.parquet")
        content, later_us = path.read_bytes(), NOW_US + 20 * SECOND_US
        path.unlink()
        lacking = judge(run, here.look(run, later_us), later_us, PATIENCE)
        size = here.house.counts.cursor("node-1", LOG)
        what = (
            f"the bytes 0 to {size:,} of node-1's exposures, log {LOG[:8]}, were handed in and are in no file"
        )
        assert {one.why for one in lacking.verdicts} == {f"{what} of the lake"}
        assert {one.finding for one in lacking.verdicts} == {Finding.MISSING}
        path.write_bytes(content)
        later_us += 20 * SECOND_US
        assert {one.why for one in judge(run, here.look(run, later_us), later_us, PATIENCE).verdicts} == {
            None
        }


def test_a_look_says_how_far_each_source_has_come_and_which_holds_it() -> None:
    run = experiment()
    with place(run) as here:
        here.file([request_at(2)])
        here.filed_until(NOW_US)
        quality = here.look(run, NOW_US).quality
        assert {(one.name, one.kind): one.watermark_us for one in quality.feeds} == {
            ("node-1", Kind.EXPOSURES): NOW_US,
            ("app-1", Kind.OUTCOMES): NOW_US,
        }
        later_us = NOW_US + 5 * MINUTE_US
        here.proxies_until(later_us)
        late = judge(run, here.look(run, later_us), later_us, PATIENCE)
        assert late.held_by == "the outcomes of app-1 are filed up to 300 s ago"


def test_units_in_two_arms_are_told_beside_all_of_them() -> None:
    run = experiment()
    with place(run) as here:
        two = [request_at(2, unit="u", route=f"ranker/{arm}/1") for arm in ("control", "candidate1")]
        here.file([*two, request_at(3, unit="v", route="ranker/control/1")])
        here.filed_until(NOW_US)
        quality = here.look(run, NOW_US).quality
        assert (quality.units, quality.two_armed) == (2, 1)


def test_a_look_counts_rows_that_came_again_and_rows_that_no_metric_of_the_type_can_use() -> None:
    run = experiment()
    told = [
        histories.Told("u", "bought", BEGIN_US + 5 * SECOND_US, value, key)
        for value, key in ((1, "a"), (1, "a"), (0, "a"), (7, "b"), (-1, "c"))
    ]
    with place(run) as here:
        here.file([request_at(2, unit="u"), request_at(3, unit="v")], told)
        here.filed_until(NOW_US)
        quality = here.look(run, NOW_US).quality
        assert quality.told == {"bought": ToldRows(rows=5, repeated=1, conflicting=1, wrong_value=2)}
        reports = quality.reports["bought"]
        assert (reports.units.sum(), reports.reporting.sum()) == (2, 1)
        assert reports.first_us <= BEGIN_US + 2 * SECOND_US < reports.first_us + 600 * SECOND_US


def test_units_of_the_future_and_requests_years_away_are_told_and_cost_no_memory() -> None:
    run = experiment()
    with place(run) as here:
        day = 86_400 * SECOND_US
        far = [request_at(days * day, unit=f"u{days}") for days in (1, 800, 900_000)]
        here.file([request_at(2, unit="u"), request_at(350 * SECOND_US, unit="v"), *far])
        here.filed_until(NOW_US)
        evidence = here.look(run, NOW_US)
        assert (evidence.quality.units, evidence.quality.ahead) == (3, 3)
        assert evidence.enrolled.sum() == 3, "two of them are years away"


def test_a_fall_of_reports_holds_the_metric_within_ten_seconds_and_until_it_is_over() -> None:
    policy = replace(RANKER, metrics=(replace(RANKER.metrics[0], window_s=600.0), *RANKER.metrics[1:]))
    run, hours = experiment(policy), 3
    now_us = BEGIN_US + (hours + 1) * 60 * MINUTE_US
    with place(run) as here:
        requests, told = [], []
        for number in range(hours * 600):
            since_us = 2 * SECOND_US + number * 6 * SECOND_US
            unit, arm = f"u{number}", ("control", "candidate1")[number % 2]
            requests.append(request_at(since_us, unit=unit, route=f"ranker/{arm}/1"))
            told.append(histories.Told(unit, "bought", BEGIN_US + since_us + SECOND_US, 1, ""))
        here.clock[0] = now_us
        here.file(requests, told[:600])
        here.filed_until(now_us)
        (held,) = [one for one in judge(run, here.look(run, now_us), now_us, PATIENCE).verdicts if one.why]
        assert (held.metric, held.finding) == ("bought", Finding.MISSING)
        assert held.why is not None
        assert held.why.startswith("reports fell: 0.0 % of the last 1,")
        here.tell(told[600:])
        for later_us, is_held in ((now_us + 9 * SECOND_US, True), (now_us + 10 * SECOND_US, False)):
            here.filed_until(later_us)
            found = judge(run, here.look(run, later_us), later_us, PATIENCE)
            assert any(one.why for one in found.verdicts) is is_held
