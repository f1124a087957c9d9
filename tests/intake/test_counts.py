"""What the fast loop reads equals the obvious recount, whatever the order and cuts in which it arrived."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import ceil, floor

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.stats.starts import NEVER
from rollout.store.counts import Counts
from tests.intake import recount
from tests.intake.house import NOW_US, built, hand_in
from tests.lake import oracle
from tests.lake.histories import BEGIN_US, LIMIT_US, REQUESTS, RUN, Request

HISTORIES = st.lists(REQUESTS, max_size=25)
NANO = 10**9


def check_tallies(counts: Counts, requests: list[Request]) -> None:
    found = counts.tallies(RUN)
    expected = {key[2:]: sums for key, sums in recount.tallies(requests).items() if key[:2] == ("ranker", 3)}
    assert {
        (t.block, t.arm, t.minute): (t.requests, t.errors, t.left, t.fallbacks) for t in found
    } == expected
    buckets: dict[str, Counter[int]] = {}
    for tally in found:
        buckets.setdefault(tally.arm, Counter()).update(dict(tally.durations))
    ours = [request for request in requests if oracle.in_run(request)]
    assert {arm: held for arm, held in buckets.items() if held} == recount.durations(ours)
    assert counts.request_totals(RUN) == {
        arm: tuple(sum(sums[i] for key, sums in expected.items() if key[1] == arm) for i in range(2))
        for arm in {key[1] for key in expected}
    }


def check_errors(counts: Counts, requests: list[Request]) -> None:
    by_unit = recount.errors(requests)
    assert counts.error_totals(RUN) == Counter((own[0][1], own[0][2]) for own in by_unit.values())
    since = BEGIN_US + 5_000_000
    expected = sorted(
        (ts_us, own[place - 1][0] if place else NEVER, split, arm)
        for own in by_unit.values()
        for place, (ts_us, arm, split) in enumerate(own)
        if ts_us >= since
    )
    found = counts.first_errors(RUN, since_us=since)
    columns = (found.ts_us.tolist(), found.previous_us.tolist(), found.split.tolist(), found.arm)
    assert sorted(zip(*columns, strict=True)) == expected
    assert np.all(np.diff(found.ts_us) >= 0)


def check_windows(counts: Counts, requests: list[Request]) -> None:
    (threshold,) = counts.thresholds()
    cells = recount.unit_windows(requests)
    arms, before = counts.arm_windows(threshold)
    assert before == {}
    for arm in {arm for arm, _, _ in cells}:
        found = arms[arm]
        for place, window in enumerate(found.window.tolist()):
            own = [(x, y) for (a, _, w), (x, y) in cells.items() if (a, w) == (arm, window)]
            assert found.units[place] == len(own)
            assert found.fraction_nano[place] == sum(floor(Fraction(y, x) * NANO) for x, y in own)
            assert (found.requests[place], found.exceedances[place]) == tuple(
                map(sum, zip(*own, strict=True))
            )
        assert len(found.window) == len({w for a, _, w in cells if a == arm})
        for since in (None, BEGIN_US + 4_999_999):
            sums = counts.unit_sums(threshold, arm, since_us=since)
            units: dict[int, tuple[int, int]] = {}
            for (a, unit, window), (x, y) in cells.items():
                if a == arm and (since is None or window * 10_000_000 >= since):
                    units[unit] = (units.get(unit, (0, 0))[0] + x, units.get(unit, (0, 0))[1] + y)
            totals = units.values()
            assert (sums.units, sums.nonzero) == (len(totals), sum(y > 0 for _, y in totals))
            assert (sums.y, sums.x) == (sum(y for _, y in totals), sum(x for x, _ in totals))
            assert (sums.yy, sums.xy) == (sum(y * y for _, y in totals), sum(x * y for x, y in totals))
            assert sums.xx == sum(x * x for x, _ in totals)
            assert sums.fraction_nano == sum(ceil(Fraction(y, x) * NANO) for x, y in totals)
    resting = [
        request for request in requests if oracle.in_run(request) and oracle.place_of(request)[1] == "rest"
    ]
    assert ("rest" in arms) == bool(resting)
    if resting:
        assert arms["rest"].requests.sum() == len(resting)
        # Answers of `rest` are known by their bucket of durations, so the limit's own bucket counts.
        slow = sum(map(oracle.too_slow, resting))
        at_the_limit = sum(request["dur_us"] == LIMIT_US for request in resting)
        assert slow <= arms["rest"].exceedances.sum() <= slow + at_the_limit
        assert not arms["rest"].units.any()


@settings(max_examples=30)
@given(here=HISTORIES, there=HISTORIES, cuts=st.integers(1, 3), there_first=st.booleans())
def test_the_fast_counts_equal_a_recount(
    here: list[Request], there: list[Request], cuts: int, *, there_first: bool
) -> None:
    with built() as house:
        house.counts.register(RUN, "latency", limit_us=LIMIT_US, share=0.01)
        nodes = [("node-1", here, cuts), ("node-2", there, 1)]
        for node, requests, pieces in reversed(nodes) if there_first else nodes:
            hand_in(house.intake, requests, node=node, cuts=pieces)
        check_tallies(house.counts, here + there)
        check_errors(house.counts, here + there)
        check_windows(house.counts, here + there)
        assert house.counts.incomplete(RUN) == {}
        assert NOW_US > BEGIN_US
