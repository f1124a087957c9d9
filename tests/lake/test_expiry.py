"""Old records go, from a log's beginning and beside readers; what a running experiment needs stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from rollout.domain.experiment import Phase
from rollout.domain.records import DAY_US
from rollout.errors import Problem
from rollout.lake import segments
from rollout.lake.compact import Compactor
from rollout.lake.expiry import GRACE_S, Retention, oldest_needed_us
from rollout.lake.keeping import Keeping
from rollout.lake.segments import Kind, Segment
from rollout.ports import Standing, Unread
from rollout.stats.windows import SKEW_US
from tests.intake.house import LOG, House, hand_in, opened
from tests.intake.test_evidence import experiment
from tests.lake.cold import Lake
from tests.lake.histories import BEGIN_US, RUN, as_lines, request_at

EVERY_US = DAY_US
REQUESTS = [request_at(day * EVERY_US, unit=f"u{day}") for day in range(10)]
NOW_S = (BEGIN_US + 10 * DAY_US) / 1e6


def compactor(house: House, *, now_s: float, days: int | None, needed_us: int | None = None) -> Compactor:
    kept = Retention(Keeping(exposures_days=days), lambda: needed_us)
    return Compactor(house.folder / "lake", house.counts.cursors, now_s=lambda: now_s, retention=kept)


def starts(house: House) -> list[int]:
    """Which requests the files that readers are given begin with."""
    found = [Segment.of_name(path.name) for path in segments.covering(house.folder / "lake" / "exposures")]
    lengths = [len(as_lines(REQUESTS[:number])) for number in range(len(REQUESTS))]
    return sorted(lengths.index(one.start) for one in found if one)


@pytest.mark.parametrize(
    ("days", "needed_day", "kept"),
    [
        (None, None, list(range(10))),
        (3, None, [7, 8, 9]),
        (3, 5, [5, 6, 7, 8, 9]),
        (3, 9, [7, 8, 9]),
        (3, 0, list(range(10))),
    ],
)
def test_old_files_expire_but_not_those_of_a_running_experiment(
    days: int | None, needed_day: int | None, kept: list[int], tmp_path: Path
) -> None:
    needed_us = None if needed_day is None else BEGIN_US + needed_day * EVERY_US + SKEW_US
    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS, cuts=10)
        compactor(house, now_s=NOW_S, days=days, needed_us=needed_us).step()
        assert starts(house) == kept
        assert Lake(tmp_path / "lake").enrolment(RUN).units.get(("control", 1), 0) == len(kept)


@pytest.mark.parametrize(("answer", "kept"), [("done", [9]), ("not yet", [5, 6, 7, 8, 9])])
def test_requests_expire_beneath_a_running_experiment_once_they_are_summed_up(
    answer: str, kept: list[int], tmp_path: Path
) -> None:
    asked: list[int] = []

    def sum_up(horizon_us: int) -> bool:
        asked.append(horizon_us)
        return answer == "done"

    needed_us = BEGIN_US + 5 * EVERY_US + SKEW_US
    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS, cuts=10)
        retention = Retention(Keeping(exposures_days=1), lambda: needed_us, sum_up)
        cursors = house.counts.cursors
        Compactor(tmp_path / "lake", cursors, now_s=lambda: NOW_S, retention=retention).step()
        assert starts(house) == kept
    (horizon_us,) = asked
    assert horizon_us % DAY_US == 0
    assert needed_us < horizon_us <= NOW_S * 1e6 - DAY_US


def test_a_covariate_needs_records_from_before_its_run() -> None:
    metrics = (replace(experiment().policy.metrics[0], pre_window_s=86_400.0),)
    policy = replace(experiment().policy, metrics=metrics)
    run = Standing(replace(experiment(policy), started_us=5 * DAY_US), 1)
    assert oldest_needed_us([run]) == 4 * DAY_US


def test_what_is_needed_begins_with_the_oldest_run_that_is_not_over() -> None:
    def run(started_us: int, phase: Phase) -> Standing:
        return Standing(replace(experiment(started_us=started_us), phase=phase), 1)

    over, paused, running = run(1, Phase.ROLLED_BACK), run(5, Phase.PAUSED), run(7, Phase.RUNNING)
    assert oldest_needed_us([]) is None
    assert oldest_needed_us([over]) is None
    assert oldest_needed_us([over, running, paused]) == 5
    unread = Unread("a1b2", "ranker", Problem("its state", "cannot be read", "upgrade"))
    assert oldest_needed_us([running, unread]) == 0


def test_readers_that_listed_a_file_have_a_minute_to_read_it(tmp_path: Path) -> None:
    within = tmp_path / "lake" / Kind.EXPOSURES
    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS, cuts=10)
        compactor(house, now_s=NOW_S, days=3).step()
        (stone,) = within.glob("*.expired")
        put_down_s = stone.stat().st_mtime
        for now_s, files in ((put_down_s + GRACE_S, 10), (put_down_s + GRACE_S + 1, 3)):
            # These moments lie years after the records: only the grace says what goes now.
            compactor(house, now_s=now_s, days=None).step()
            assert len(list(segments.listed(within))) == files
        assert stone.exists(), "it says that nothing was lost"


def test_a_later_stone_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    within = tmp_path / "lake" / Kind.EXPOSURES
    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS, cuts=10)
        for day in (8, 10):
            compactor(house, now_s=(BEGIN_US + day * DAY_US) / 1e6, days=3).step()
        assert len(list(within.glob("*.expired"))) == 2
        later_s = max(path.stat().st_mtime for path in within.iterdir()) + GRACE_S + 1
        compactor(house, now_s=later_s, days=None).step()
        (stone,) = within.glob("*.expired")
        assert f"-{len(as_lines(REQUESTS[:7])):015d}" in stone.name
        assert starts(house) == [7, 8, 9]


def test_what_is_not_counted_yet_does_not_expire(tmp_path: Path) -> None:
    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS[:2], cuts=2)
        end = len(as_lines(REQUESTS[:2]))
        within = tmp_path / "lake" / Kind.EXPOSURES
        content = segments.covering(within)[0].read_bytes()
        (within / Segment("node-1", LOG, end, end + 9).name).write_bytes(content)
        compactor(house, now_s=NOW_S, days=1).step()
        (stone,) = segments.expired(within).values()
        assert stone.end == end


def test_when_nobody_can_say_what_is_needed_nothing_expires(tmp_path: Path) -> None:
    def unknown() -> int | None:
        raise OSError("the database cannot be read")

    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS, cuts=10)
        kept = Retention(Keeping(exposures_days=1), unknown)
        with pytest.raises(OSError, match="cannot be read"):
            Compactor(tmp_path / "lake", house.counts.cursors, now_s=lambda: NOW_S, retention=kept).step()
        assert starts(house) == list(range(10))


def test_a_reader_that_is_overtaken_asks_again(tmp_path: Path) -> None:
    """A listed file that is gone is an error of the engine; the lake's reader lists anew."""
    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS, cuts=10)
        files = segments.covering(tmp_path / "lake" / Kind.EXPOSURES)
        files[0].unlink()
        with duckdb.connect() as engine, pytest.raises(duckdb.IOException):
            engine.execute("SELECT count(*) FROM read_parquet($files)", {"files": list(map(str, files))})
        assert Lake(tmp_path / "lake").enrolment(RUN).units == {("control", 1): 9}
