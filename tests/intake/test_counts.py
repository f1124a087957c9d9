"""What the fast loop reads equals the obvious recount, whatever the order and cuts in which it arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.records import WINDOW_US, RatioSums
from rollout.stats.starts import live_starts
from rollout.store.counts import Counts
from tests.intake import recount
from tests.intake.house import NOW_US, built, hand_in
from tests.lake import oracle
from tests.lake.histories import BEGIN_US, LIMIT_US, REQUESTS, RUN, Request
from tests.store.databases import Kind

HISTORIES = st.lists(REQUESTS, max_size=25)
NANO = 10**9
EVERY_US = 10_000_000
HOUR_US = 3_600_000_000


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
    firsts = Counter((own[0][1], own[0][2]) for own in by_unit.values())
    assert counts.error_totals(RUN) == firsts
    alive = live_starts(NOW_US, BEGIN_US - 95_000_000, every=EVERY_US, life=HOUR_US)
    found = counts.errors(RUN, alive, NOW_US)
    assert {key: units for key, units in found.totals.items() if units} == firsts
    for place, begin in enumerate(alive.begin.tolist()[1:]):
        since = [[event for event in own if event[0] >= begin] for own in by_unit.values()]
        expected = Counter((own[0][1], own[0][2]) for own in since if own)
        assert {key: int(n[place]) for key, n in found.since.items() if n[place]} == expected


def check_windows(counts: Counts, requests: list[Request], now_us: int = NOW_US + HOUR_US // 60) -> None:
    (threshold,) = counts.thresholds()
    cells = recount.unit_windows(requests)
    alive = live_starts(now_us, BEGIN_US - 595_000_001, every=60 * EVERY_US, life=HOUR_US)
    names = ("control", "candidate1", "holdback", "promoted")
    found, outages = counts.since_starts(threshold, names, alive, now_us)
    assert not outages
    for arm in names:
        for place, begin in enumerate(alive.begin.tolist()):
            own = {
                (unit, window): pair
                for (a, unit, window), pair in cells.items()
                if a == arm and (place == 0 or window * WINDOW_US >= begin)
            }
            assert found[arm].windows[place] == len(own)
            assert found[arm].fraction_nano[place] == sum(
                floor(Fraction(y, x) * NANO) for x, y in own.values()
            )
            assert found[arm].sums[place] == unit_sums(own)
    resting = [
        request for request in requests if oracle.in_run(request) and oracle.place_of(request)[1] == "rest"
    ]
    assert ("rest" in counts.places(threshold, now_us)) == bool(resting)


def unit_sums(cells: Mapping[tuple[int, int], tuple[int, int]]) -> RatioSums:
    """Add up what units did, by (unit, window)."""
    units: dict[int, tuple[int, int]] = {}
    for (unit, _), (x, y) in cells.items():
        units[unit] = (units.get(unit, (0, 0))[0] + x, units.get(unit, (0, 0))[1] + y)
    totals = units.values()
    return RatioSums(
        len(totals),
        sum(y > 0 for _, y in totals),
        sum(y for _, y in totals),
        sum(x for x, _ in totals),
        sum(y * y for _, y in totals),
        sum(x * y for x, y in totals),
        sum(x * x for x, _ in totals),
        sum(ceil(Fraction(y, x) * NANO) for x, y in totals),
    )


WHATEVER = {"here": HISTORIES, "there": HISTORIES, "cuts": st.integers(1, 3), "there_first": st.booleans()}


@settings(max_examples=30)
@given(**WHATEVER)
def test_the_fast_counts_equal_a_recount(
    here: list[Request], there: list[Request], cuts: int, *, there_first: bool
) -> None:
    check_all(Kind.FILE, here, there, cuts, there_first=there_first)


@settings(max_examples=4)
@given(**WHATEVER)
def test_the_fast_counts_on_a_server_equal_a_recount(
    here: list[Request], there: list[Request], cuts: int, *, there_first: bool
) -> None:
    check_all(Kind.POSTGRES, here, there, cuts, there_first=there_first)


def check_all(kind: Kind, here: list[Request], there: list[Request], cuts: int, *, there_first: bool) -> None:
    with built(kind=kind) as house:
        house.counts.register(RUN, "latency", limit_us=LIMIT_US, share=0.01)
        nodes = [("node-1", here, cuts), ("node-2", there, 1)]
        for node, requests, pieces in reversed(nodes) if there_first else nodes:
            hand_in(house.intake, requests, node=node, cuts=pieces)
        check_tallies(house.counts, here + there)
        check_errors(house.counts, here + there)
        check_windows(house.counts, here + there)
        assert house.counts.incomplete(RUN) == {}
        assert NOW_US > BEGIN_US
