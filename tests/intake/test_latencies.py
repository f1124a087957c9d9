"""A candidate beside the baseline's own quantile: frozen once, counted exactly, and only slow ones caught."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.evidence import LatencyEvidence
from rollout.domain.judge import Patience, judge
from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.policy import Expect, Level, Policy
from rollout.domain.records import Side
from rollout.domain.verdict import Finding
from rollout.intake.fast_evidence import FastEvidence
from rollout.stats import quantiles
from tests.intake import recount
from tests.intake.house import opened_again
from tests.intake.test_evidence import (
    MIDNIGHT_US,
    MINUTE_US,
    RANKER,
    SECOND_US,
    begins,
    check_moments,
    experiment,
    place,
)
from tests.lake import oracle
from tests.lake.histories import BEGIN_US, RUN, Request, request_at

QUANTILE_US = 100_000
GUARDRAIL = Metric(
    *("p95", Role.GUARDRAIL, Source.PROXY, MetricType.LATENCY, Direction.DECREASE, 60.0),
    margin=0.2,
    quantile=0.95,
)
EXPECTING = replace(RANKER, metrics=(GUARDRAIL,), expect=Expect(levels={"p95": Level(float(QUANTILE_US))}))
WARMING: Policy = replace(EXPECTING, expect=Expect())


def history(minutes: int, slower: float, *, count: int = 3_000, users: int = 400) -> list[Request]:
    """Return requests of both arms and blocks, a twentieth of the control's above 100 ms."""
    chance = random.Random(3)  # noqa: S311 (a history, no secret)
    found = []
    for _ in range(count):
        arm, user = chance.choice(["control", "candidate1"]), chance.randrange(users)
        spread_us = QUANTILE_US * chance.lognormvariate(-0.5 * 1.645, 0.5)
        found.append(
            request_at(
                12 * SECOND_US + chance.randrange(minutes * MINUTE_US),
                unit=f"{arm}{user}",
                route=f"ranker/{arm}/{1 + user % 2}",
                dur_us=int(spread_us * (slower if arm == "candidate1" else 1.0)),
                code=500 if chance.random() < 0.002 else 200,
            )
        )
    return sorted(found, key=oracle.time_of)


def check(found: LatencyEvidence, requests: Sequence[Request], starts: Sequence[int]) -> None:
    """Compare with a plain recount of every unit, start and block."""
    for arm, limit_us, minutes, moments, exceeding in (
        ("control", QUANTILE_US, found.control_minutes, found.control, found.control_exceeding),
        ("candidate1", 120_000, found.candidate_minutes, found.candidate, found.candidate_exceeding),
    ):
        for number, begin in enumerate(starts):
            slow_minutes, slow_units = set(), set()
            totals: defaultdict[int, Counter[tuple[int, str]]] = defaultdict(Counter)
            for request in requests:
                unit, ts_us, owner, _ = recount.eligible(request) or (0, 0, "", 0)
                block = oracle.place_of(request)[2]
                if owner != arm or block is None:
                    continue
                duration = request["dur_us"]
                is_slow = oracle.failed(request) or (isinstance(duration, int) and duration > limit_us)
                if is_slow and (number == 0 or ts_us // MINUTE_US * MINUTE_US >= begin):
                    slow_minutes.add((unit, ts_us // MINUTE_US))
                if number == 0 or ts_us // (10 * SECOND_US) * 10 * SECOND_US >= begin:
                    totals[block][unit, "x"] += 1
                    totals[block][unit, "y"] += is_slow
                    if is_slow:
                        slow_units.add(unit)
            assert minutes[number] == len(slow_minutes)
            assert exceeding[number] == len(slow_units)
            for column, block in enumerate((1, 2)):
                own = totals[block]
                pairs = [(own[unit, "y"], x) for (unit, what), x in own.items() if what == "x"]
                check_moments(moments, (number, column), pairs)


def test_what_each_side_exceeds_equals_a_recount_now_after_a_restart_and_after_hours() -> None:
    run = experiment(EXPECTING, started_us=MIDNIGHT_US - 7)
    requests, now_us = history(25, 1.3), BEGIN_US + 26 * MINUTE_US
    with place(run) as here:
        here.clock[0] = now_us
        here.file(requests[::2])
        here.arm(run, now_us)
        here.file(requests[1::2], node="node-2")
        starts = begins(now_us, 600 * SECOND_US, MIDNIGHT_US - 7)
        found = here.arm(run, now_us).latencies["p95"]
        check(found, requests, starts)
        later_us = now_us + 2 * 60 * MINUTE_US
        here.filed_until(later_us)
        old = here.arm(run, later_us).latencies["p95"]
        assert (old.candidate_minutes[0], old.control_minutes[0]) == (
            found.candidate_minutes[0],
            found.control_minutes[0],
        )
        with opened_again(here.house.folder) as counts:
            again = FastEvidence(counts).latencies(run, RUN, GUARDRAIL, later_us)[1]
            assert np.array_equal(again.candidate_minutes, old.candidate_minutes)
            assert np.array_equal(again.candidate.scatter, old.candidate.scatter)
            assert np.array_equal(again.control.mean, old.control.mean)
        assert old.candidate.n[0].tolist() == found.candidate.n[0].tolist()


def test_a_quantile_is_frozen_from_enough_baseline_requests_and_stays() -> None:
    run = experiment(WARMING, started_us=MIDNIGHT_US)
    with place(run) as here:
        fast = FastEvidence(here.house.counts)
        now_us = BEGIN_US + 5 * MINUTE_US
        warm = [
            request_at(12 * SECOND_US + n, unit=f"u{n}", route="ranker/rest", dur_us=1_000 + n)
            for n in range(1_999)
        ]
        here.clock[0] = now_us
        here.file(warm)
        assert fast.latencies(run, RUN, GUARDRAIL, now_us) == {}
        assert fast.frozen_quantile(RUN, GUARDRAIL) is None
        here.file([request_at(13 * SECOND_US, dur_us=3_000)], node="node-2")
        assert set(fast.latencies(run, RUN, GUARDRAIL, now_us)) == {1}
        frozen = fast.frozen_quantile(RUN, GUARDRAIL)
        assert frozen == pytest.approx(2_899, rel=quantiles.RELATIVE_ERROR)
        here.file(
            [request_at(14 * SECOND_US + n, unit=f"v{n}", dur_us=9_000) for n in range(3_000)], node="n3"
        )
        with opened_again(here.house.folder) as counts:
            assert FastEvidence(counts).frozen_quantile(RUN, GUARDRAIL) == frozen
        limits = {one.side: one.limit_us for one in here.house.counts.thresholds()}
        assert limits == {Side.CONTROL: frozen, Side.CANDIDATES: round(1.2 * (frozen or 0))}


@pytest.mark.parametrize(("slower", "harmed"), [(1.0, False), (1.6, True)])
def test_a_slow_candidate_is_caught_and_a_fair_one_is_not(slower: float, *, harmed: bool) -> None:
    run, now_us = experiment(EXPECTING, started_us=MIDNIGHT_US), MIDNIGHT_US + 5 * MINUTE_US
    with place(run) as here:
        here.clock[0] = now_us
        here.file(history(4, slower, users=3_000))
        here.filed_until(now_us)
        found = judge(run, here.look(run, now_us), now_us, Patience())
    (verdict, *_) = found.verdicts
    assert (verdict.metric, verdict.finding is Finding.HARMED) == ("p95", harmed)
    assert harmed or verdict.finding in {Finding.SAFE, Finding.UNCLEAR}
    assert verdict.estimate is not None
