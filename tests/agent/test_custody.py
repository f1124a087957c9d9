"""What others do to a log is noticed and said, and what does not fit is dropped by its newest end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollout.agent.custody import Room
from rollout.agent.log import Log
from rollout.agent.losses import ANYBODY, Loss
from rollout.agent.recorder import Point, Recorder
from rollout.domain.records import Run
from rollout.lake.segments import Kind
from tests.agent.node import LAG_US, LARGEST_CUT, SETTLE_US, acknowledge, control_plane, recorder, write
from tests.agent.test_recorder import check
from tests.intake.house import NOW_US
from tests.lake.histories import BEGIN_US, RUN, Request, as_lines, request_at

NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Node:
    """A recorder, its log, and the clock of both."""

    folder: Path
    recorder: Recorder
    log: Log
    clock: list[int]

    def step(self) -> bool:
        """Hand in, and let settle."""
        is_fine = self.recorder.step()
        self.clock[0] += SETTLE_US
        return self.recorder.step() and is_fine

    @property
    def files(self) -> list[Path]:
        """The rotated files, the oldest first."""
        return sorted(self.folder.glob("access.log.*.*"))


@contextmanager
def opened(
    folder: Path, address: str, room: Room | None = None, reached: Callable[[Point], None] = lambda _: None
) -> Iterator[Node]:
    clock = [NOW_US]
    acknowledge(folder / "acknowledgements.jsonl")
    with recorder(folder, address, now_us=lambda: clock[0], room=room, reached=reached) as (hand, log):
        yield Node(folder, hand, log, clock)


def requests(first: int, count: int, **changes: object) -> list[Request]:
    return [request_at(number * 1000, unit=f"u{number}", **changes) for number in range(first, first + count)]


def lost(node: Node) -> list[tuple[str, bool]]:
    """Whose losses there are, and whether any of their bytes were known."""
    return [(loss.experiment, loss.bytes > 0) for loss in node.recorder.losses.all()]


@pytest.mark.parametrize("more", [1, 40])
def test_a_truncated_log_is_another_log_and_nothing_is_sent_twice(tmp_path: Path, more: int) -> None:
    """However much was written since: less than was sent before, or more."""
    before, after = requests(0, 10), requests(10, more)
    with control_plane(tmp_path) as (house, address), opened(tmp_path, address) as node:
        write(tmp_path, as_lines(before))
        assert node.step()
        assert lost(node) == []
        (tmp_path / "access.log").write_bytes(as_lines(after))
        assert node.step()
        check(house, before + after)
        assert lost(node) == [(ANYBODY, False)]
        assert node.step()
        assert len(node.recorder.losses.all()) == 1


@pytest.mark.parametrize("more", [1, 40])
@pytest.mark.parametrize("by_others", [False, True])
def test_a_log_that_is_truncated_and_then_renamed_before_anybody_looks_is_sent(
    tmp_path: Path, *, by_others: bool, more: int
) -> None:
    before, after, later = requests(0, 10), requests(10, more), requests(60, 3)
    with control_plane(tmp_path) as (house, address), opened(tmp_path, address) as node:
        write(tmp_path, as_lines(before))
        assert node.step()
        (tmp_path / "access.log").write_bytes(as_lines(after))
        if by_others:
            (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        else:
            node.log.rotate(NOW_US)
        write(tmp_path, as_lines(later))
        assert node.step()
        assert node.step()
        check(house, before + after + later)
        assert lost(node) == [(ANYBODY, False)]
        assert node.files == []


def test_what_is_lost_with_a_log_that_is_truncated_is_counted_once(tmp_path: Path) -> None:
    before = requests(0, 10)
    with opened(tmp_path, NOBODY) as node:
        write(tmp_path, as_lines(before))
        assert not node.recorder.step()
        assert not node.recorder.step()
        (tmp_path / "access.log").write_bytes(as_lines(requests(10, 2)))
        for _ in range(3):
            assert not node.step()
        assert [loss.bytes for loss in node.recorder.losses.all()] == [len(as_lines(before))]


def test_a_log_that_is_truncated_between_two_cuts_is_not_sent_twice(tmp_path: Path) -> None:
    before, after = requests(0, 20), requests(20, 40)
    changes = [after]

    def truncate(now: Point) -> None:
        if now is Point.NOTED and changes:
            (tmp_path / "access.log").write_bytes(as_lines(changes.pop()))

    with control_plane(tmp_path) as (house, address), opened(tmp_path, address, reached=truncate) as node:
        write(tmp_path, as_lines(before))
        assert not node.step()
        assert node.step()
        sent = sum(len(as_lines(before[:count])) <= LARGEST_CUT for count in range(1, len(before)))
        check(house, before[:sent] + after)


def test_of_a_log_cut_in_its_middle_nothing_more_is_read_and_the_next_one_is(tmp_path: Path) -> None:
    before, after = requests(0, 10), requests(10, 5)
    with control_plane(tmp_path) as (house, address), opened(tmp_path, address) as node:
        write(tmp_path, as_lines(before))
        assert node.step()
        (tmp_path / "access.log").write_bytes(as_lines(before[:4] + requests(50, 1)))
        assert node.step()
        write(tmp_path, as_lines(after))
        assert node.step()
        check(house, before + after)
        assert lost(node) == [(ANYBODY, False)]
        assert node.files == []


@pytest.mark.parametrize("is_rotated", [False, True])
def test_a_log_that_was_deleted_before_it_was_sent_is_lost_and_said(
    tmp_path: Path, *, is_rotated: bool
) -> None:
    with opened(tmp_path, NOBODY) as node:
        write(tmp_path, as_lines(requests(0, 10)))
        assert not node.step()
        if is_rotated:
            node.log.rotate(NOW_US)
            assert not node.step()
        (node.files[0] if is_rotated else tmp_path / "access.log").unlink()
    with control_plane(tmp_path) as (house, address), opened(tmp_path, address) as node:
        assert node.step()
        assert lost(node) == [(ANYBODY, is_rotated)]
        write(tmp_path, as_lines(requests(20, 3)))
        assert node.step()
        check(house, requests(20, 3))
        assert len(node.recorder.losses.all()) == 1


def test_a_renamed_log_loses_nothing(tmp_path: Path) -> None:
    before, after = requests(0, 10), requests(10, 5)
    with control_plane(tmp_path) as (house, address), opened(tmp_path, address) as node:
        write(tmp_path, as_lines(before[:4]))
        assert node.step()
        write(tmp_path, as_lines(before[4:]))
        (tmp_path / "access.log").rename(tmp_path / "access.log.1")
        assert node.step()
        write(tmp_path, as_lines(after))
        assert node.step()
        check(house, before + after)
        assert (lost(node), node.files) == ([], [])


def test_at_the_limit_the_newest_is_dropped_and_counted_and_the_oldest_arrives(tmp_path: Path) -> None:
    first = requests(0, 10)
    other = [request_at(number, route="other/control/1", rev="7", code=200) for number in range(10)]
    nobodys = [request_at(5, route=None, code=404)]
    limit = Room(largest_unsent=len(as_lines(first)) + 100, least_free=0, worth_dropping=1)
    with opened(tmp_path, NOBODY, limit) as node:
        write(tmp_path, as_lines(first))
        node.step()
        node.log.rotate(node.clock[0])
        node.step()
        assert len(node.files) == 1
        write(tmp_path, as_lines(other + nobodys) + b"no line\n")
        node.step()
        node.step()
        (kept,) = node.files
        assert kept.read_bytes() == as_lines(first)
        whole = len(as_lines(other))
        expected = Loss(Kind.EXPOSURES, "other", 7, 10, whole, BEGIN_US, BEGIN_US + 9)
        assert node.recorder.losses.all() == (expected,)
        assert node.recorder.unsent_bytes() == len(as_lines(first))
    with control_plane(tmp_path) as (house, address), opened(tmp_path, address, limit) as node:
        assert not house.counts.lost(Run("other", 7), since_us=0)
        assert node.step()
        check(house, first)
        assert [one.rows for one in house.counts.lost(Run("other", 7), since_us=0)] == [10]
        assert not house.counts.lost(RUN, since_us=0)
        assert node.recorder.losses.all() == (expected,)


@pytest.mark.parametrize(("free", "is_dropped"), [(99, True), (100, False)])
def test_a_disk_that_is_nearly_full_is_a_limit_too(tmp_path: Path, free: int, *, is_dropped: bool) -> None:
    limit = Room(least_free=100, worth_dropping=1, disk=lambda _: (free, 10_000))
    with opened(tmp_path, NOBODY, limit) as node:
        write(tmp_path, as_lines(requests(0, 10)))
        for _ in range(3):
            node.step()
        assert lost(node) == ([("ranker", True)] if is_dropped else [])


def test_what_the_writer_could_not_write_on_a_full_disk_is_anybody_s(tmp_path: Path) -> None:
    with opened(tmp_path, NOBODY, Room(disk=lambda _: (0, 10_000))) as node:
        (tmp_path / "access.log").touch()
        node.step()
        assert lost(node) == [(ANYBODY, False)]


def test_what_reaches_the_intake_is_never_dropped(tmp_path: Path) -> None:
    tight = Room(largest_unsent=1, least_free=0, worth_dropping=1)
    with control_plane(tmp_path) as (house, address), opened(tmp_path, address, tight) as node:
        for number in range(4):
            write(tmp_path, as_lines(requests(10 * number, 10)))
            assert node.step()
        check(house, requests(0, 40))
        assert lost(node) == []


def test_what_is_lost_is_told_before_anything_more_is_promised(tmp_path: Path) -> None:
    kinds = (Kind.EXPOSURES,)
    seen: list[tuple[int | None, tuple[int, ...]]] = []
    with control_plane(tmp_path) as (house, address):

        def look(_: Point) -> None:
            mark = house.counts.watermark(2 * NOW_US, kinds=kinds, is_fast=False)
            seen.append((mark, tuple(one.rows for one in house.counts.lost(RUN, since_us=0))))

        clock = [NOW_US]
        with recorder(tmp_path, address, now_us=lambda: clock[0], reached=look) as (hand, _):
            write(tmp_path, as_lines(requests(0, 10)))
            assert hand.step()
            assert (NOW_US - LAG_US, ()) in seen
            (tmp_path / "access.log").write_bytes(as_lines(requests(10, 2)))
            seen.clear()
            clock[0] += 1_000_000
            assert hand.step()
        assert {lost for _, lost in seen} == {(0,)}, "before the first byte of what follows"
        assert seen[-1] == (clock[0] - LAG_US, (0,))


def test_a_torn_end_that_the_writer_cuts_off_when_it_begins_again_is_no_loss(tmp_path: Path) -> None:
    """The spool does so at its start: nobody was promised half a line."""
    with control_plane(tmp_path) as (house, address):
        for content in (as_lines(requests(0, 4)) + b'{"half', as_lines(requests(0, 4))):
            (tmp_path / "access.log").touch()
            with (tmp_path / "access.log").open("r+b") as stream:
                stream.write(content)
                stream.truncate(len(content))
            with opened(tmp_path, address) as node:
                assert node.step()
        with opened(tmp_path, address) as node:
            node.log.rotate(NOW_US)
            assert node.step()
            assert node.step()
            assert (node.files, lost(node)) == ([], [])
        check(house, requests(0, 4))
