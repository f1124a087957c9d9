"""A segment is filed and counted once, whoever dies when, and whatever was cut again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from rollout.domain.records import Digest
from rollout.intake.intake import Filed, OutOfTurn, Point, Refused
from rollout.lake.segments import Kind, Segment, covering
from rollout.stats.starts import live_starts
from rollout.store.counts import Told
from rollout.store.live_limits import SinceStarts
from tests.command import ROOT
from tests.intake.crash import FIRST, history
from tests.intake.house import LOG, NOW_US, built, hand_in, opened, opened_again, segment, told
from tests.intake.test_counts import check_errors, check_tallies, check_windows
from tests.lake import oracle
from tests.lake.cold import Lake, Trouble
from tests.lake.histories import BEGIN_US, CLOSING, LIMIT_US, RUN, Request, as_lines, request_at


def check_lake(folder: Path, requests: list[Request]) -> None:
    """Every line in the lake exactly once."""
    lake = Lake(folder)
    enrolled = lake.enrolment(RUN)
    assert (enrolled.units, enrolled.two_armed) == oracle.enrolment(requests)
    found = {
        (stratum.arm, stratum.block, stratum.day): (sums.y, sums.x, sums.xy)
        for stratum, sums in lake.ratio(RUN, Trouble.ERROR, CLOSING).items()
    }
    assert found == {
        key: (sums[2], sums[3], sums[5]) for key, sums in oracle.ratios(requests, "errors").items()
    }


@pytest.mark.parametrize("point", list(Point))
def test_killed_at_any_point_each_line_is_filed_and_counted_once(point: Point, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.intake.crash", str(tmp_path), point]
    died = subprocess.run(program, cwd=ROOT, timeout=60, check=False)
    assert died.returncode == -9
    requests = history()
    first, second = as_lines(requests[:FIRST]), as_lines(requests[FIRST:20])
    with opened(tmp_path) as house:
        cursor = house.counts.cursor("node-1", LOG)
        assert cursor == len(first) + (len(second) if point is Point.COUNTED else 0)
        # What was filed but never counted is gone before anybody cuts otherwise.
        ends = [
            found.end
            for path in covering(tmp_path / "lake" / Kind.EXPOSURES)
            if (found := Segment.of_name(path.name))
        ]
        assert max(ends) == cursor
        rest = as_lines(requests)[cursor:]
        middle = rest.index(b"\n", len(rest) // 2) + 1
        for lines in (rest[:middle], rest[middle:]):
            answer = house.intake.accept(told(cursor, cursor + len(lines)), segment(lines))
            cursor += len(lines)
            assert answer == Filed(cursor)
        check_tallies(house.counts, requests)
        check_errors(house.counts, requests)
        check_windows(house.counts, requests)
        check_lake(tmp_path / "lake", requests)


def test_a_range_that_does_not_start_at_the_cursor_changes_nothing() -> None:
    lines = as_lines([request_at(0)])
    with built() as house:
        assert house.intake.accept(told(5, 5 + len(lines)), segment(lines)) == OutOfTurn(0)
        assert house.intake.accept(told(0, len(lines)), segment(lines)) == Filed(len(lines))
        assert house.intake.accept(told(0, len(lines)), segment(lines)) == OutOfTurn(len(lines))
        assert house.counts.request_totals(RUN) == {"control": (1, 0)}
        assert len(covering(house.folder / "lake" / Kind.EXPOSURES)) == 1
        assert house.counts.add(told(0, 9, watermark_us=5), Digest(), NOW_US) == len(lines)
        assert house.counts.watermark(NOW_US, kinds=(Kind.EXPOSURES,), is_fast=False) is None


@pytest.mark.parametrize(
    ("arm", "code", "heard"),
    [("candidate1/1", 500, [{RUN.experiment}]), ("candidate1/1", 200, []), ("control/1", 500, [])],
)
def test_only_failures_of_a_candidate_are_told_and_only_once_counted(
    arm: str, code: int, heard: list[set[str]], tmp_path: Path
) -> None:
    found: list[set[str]] = []
    route = f"{RUN.experiment}/{arm}"
    lines = as_lines([{**request_at(0), "route": route, "code": code}])

    def failing(names: Collection[str]) -> None:
        assert sum(house.counts.error_totals(RUN).values()) == 1
        found.append(set(names))

    with opened(tmp_path, failing=failing) as house:
        for _ in range(2):
            house.intake.accept(told(0, len(lines)), segment(lines))
    assert found == heard


def test_what_is_no_segment_is_refused_and_leaves_no_file() -> None:
    with built() as house:
        assert isinstance(house.intake.accept(told(0, 10), b"not a segment"), Refused)
        wrong_kind = Told(Kind.OUTCOMES, "node-1", LOG, 0, 10, 0, 0)
        assert isinstance(house.intake.accept(wrong_kind, segment(as_lines([request_at(0)]))), Refused)
        assert [path for path in (house.folder / "lake").rglob("*") if path.is_file()] == []
        with pytest.raises(ValueError, match="node"):
            house.intake.accept(told(0, 10, node="../up"), b"")
        with pytest.raises(ValueError, match="kind"):
            house.intake.accept(Told("kind", "node-1", LOG, 0, 10, 0, 0), b"")


def test_the_watermark_is_the_least_and_only_the_fast_one_leaves_silent_nodes_behind(tmp_path: Path) -> None:
    clock = [NOW_US]
    kinds = (Kind.EXPOSURES,)
    with opened(tmp_path, now_us=lambda: clock[0]) as house:
        counts, intake = house.counts, house.intake
        assert counts.watermark(NOW_US, kinds=kinds, is_fast=False) is None
        intake.accept(told(0, 0, node="slow", watermark_us=10), b"")
        clock[0] += 31_000_000
        intake.accept(told(0, 0, node="quick", watermark_us=90), b"")
        assert counts.watermark(clock[0], kinds=kinds, is_fast=False) == 10
        assert counts.watermark(clock[0], kinds=kinds, is_fast=True) == 90
        intake.accept(told(0, 0, node="quick", watermark_us=80), b"")
        assert counts.watermark(clock[0], kinds=kinds, is_fast=True) == 90, "what is filed stays filed"
        assert counts.watermark(clock[0], kinds=(*kinds, Kind.OUTCOMES), is_fast=True) is None
        assert intake.forget_node("slow")
        assert not intake.forget_node("slow")
        assert counts.watermark(clock[0], kinds=kinds, is_fast=False) == 90


def test_after_an_hour_details_become_totals_without_shared_outages(tmp_path: Path) -> None:
    clock = [NOW_US]
    begin_us = BEGIN_US + 12_000_000  # a full minute
    outage = [request_at(12_000_000 + n, unit=f"u{n}", dur_us=LIMIT_US + 1) for n in range(60)]
    quiet = [
        request_at(
            72_000_000 + n,
            unit=f"u{n % 20}",
            route="ranker/candidate1/1",
            dur_us=LIMIT_US + (n < 3),
            code=500 * (n == 9) or 200,
        )
        for n in range(40)
    ]
    with opened(tmp_path, now_us=lambda: clock[0]) as house:
        counts = house.counts
        threshold = counts.register(RUN, "latency", limit_us=LIMIT_US, share=0.01)
        clock[0] = begin_us + 120_000_000
        hand_in(house.intake, outage + quiet)
        alive = live_starts(clock[0], begin_us, every=600_000_000)

        def since(arm: str) -> SinceStarts:
            return counts.since_starts(threshold, [arm], alive, clock[0])[0][arm]

        before, totals = since("candidate1"), counts.error_totals(RUN)
        assert (before.windows, before.sums[0].units, before.sums[0].y) == ((20,), 20, 4)
        assert (since("control").windows, since("control").has_ended_units) == ((0,), True)
        clock[0] += 2 * 3_600_000_000
        house.intake.accept(told(0, 0, node="another"), b"")
        assert since("candidate1") == before
        assert (since("control").windows, since("control").sums[0].units) == ((0,), 0)
        with opened_again(tmp_path) as again:
            found, _ = again.since_starts(threshold, ["candidate1", "control"], alive, clock[0])
            assert (found["candidate1"], found["control"].sums[0].units) == (before, 0)
        assert not any(units.any() for units in counts.errors(RUN, alive, clock[0]).since.values())
        assert counts.error_totals(RUN) == totals == {("candidate1", 2): 1}
        # More than an hour late: in the lake and the tallies, no longer in the windows.
        hand_in(house.intake, quiet[:1], node="late")
        assert since("candidate1") == before
        assert counts.request_totals(RUN)["candidate1"] == (41, 1)
        assert counts.incomplete(RUN) == {}


def test_a_full_table_says_so_and_known_units_still_count() -> None:
    failed = [request_at(n, unit=f"u{n % 4}", code=500) for n in range(8)]
    with built(rows=3) as house:
        threshold = house.counts.register(RUN, "latency", limit_us=LIMIT_US, share=0.01)
        hand_in(house.intake, failed[:3])
        assert house.counts.incomplete(RUN) == {}
        hand_in(house.intake, failed, node="node-2")
        assert sum(house.counts.error_totals(RUN).values()) == 3
        left_out = house.counts.incomplete(RUN)
        assert left_out["windows"] == 1
        assert left_out["errors"] >= 1
        alive = live_starts(NOW_US, BEGIN_US, every=600_000_000)
        found, _ = house.counts.since_starts(threshold, ["control"], alive, NOW_US)
        assert found["control"].sums[0].x == 3 + 6
        assert house.counts.request_totals(RUN) == {"control": (11, 11)}
