"""Accounts equal a recount, whatever order records come in, and whatever is merged or restarted meanwhile."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.metric import MetricType
from rollout.errors import Retry
from rollout.lake import segments
from rollout.lake.accounts.accounts import Accounts
from rollout.lake.accounts.asked import Asked, Counter, Told, Trouble, Window
from rollout.lake.accounts.books import Books
from rollout.lake.accounts.outcomes import Outcomes
from rollout.lake.accounts.totals import ClosedSums
from rollout.lake.engine import connect, quoted
from rollout.lake.outcomes import write_outcomes
from rollout.lake.record import Recorder, write_exposures
from rollout.lake.segments import Kind, Segment
from tests.lake import accounts_oracle as oracle
from tests.lake import histories
from tests.lake.histories import BEGIN_US, HASHING, LIMIT_US, MOMENTS, REQUESTS, RUN, UNITS, Request, as_lines
from tests.lake.histories import Told as Outcome
from tests.lake.oracle import time_of

SINCE_US = BEGIN_US - 20_000_000
WINDOW, SHORT = Window(10_000_000, 2_000_000), Window(1_000_000, 0)
ASKED = Asked(
    run=RUN,
    since_us=SINCE_US,
    arms=2,
    blocks=oracle.BLOCKS,
    counters=(
        Counter("errors", WINDOW, Trouble.ERROR),
        Counter("slow", WINDOW, (LIMIT_US, 10)),
        Counter("fallback", SHORT, Trouble.FALLBACK),
    ),
    told=(
        Told("bought", WINDOW, MetricType.BINARY, ("bought",)),
        Told("often", SHORT, MetricType.COUNT, ("bought",)),
        Told("spent", WINDOW, MetricType.MEAN, ("clicked",), cap_u=3_000_000, before_us=20_000_000),
        Told("share", WINDOW, MetricType.RATIO, ("clicked", "bought"), before_us=7_000_000),
        Told("again", WINDOW, MetricType.BINARY, ("clicked",), before_us=20_000_000),
    ),
)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from([*UNITS[:2], *(unit for unit in UNITS if unit and unit.strip())]),
    st.sampled_from(["bought", "clicked", "clicked"]),
    MOMENTS.flatmap(lambda ts: st.sampled_from([ts, ts, ts - 5_000_000, ts - 25_000_001])),
    st.sampled_from([-2, 0, 1, 1, 3, 4_000_000]),
    st.sampled_from(["", "k1"]),
)


@dataclass
class Place:
    """A lake that grows segment after segment, and everything that was put into it."""

    folder: Path
    requests: list[Request] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    ends: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def cursors(self) -> list[tuple[str, str, str, int]]:
        return [(kind, node, log, end) for (kind, node, log), end in self.ends.items()]

    def file(self, requests: Sequence[Request], node: str) -> None:
        target = self._target(Kind.EXPOSURES, node, len(requests))
        lines = as_lines(requests)
        write_exposures(
            connect(), Recorder(HASHING, histories.splits_at).read(lines), target.with_suffix(".tmp")
        )
        segments.publish(target.with_suffix(".tmp"), target)
        self.requests += requests

    def tell(self, outcomes: Sequence[Outcome], node: str) -> None:
        target = self._target(Kind.OUTCOMES, node, len(outcomes))
        write_outcomes(connect(), histories.as_outcomes(outcomes), target.with_suffix(".tmp"))
        segments.publish(target.with_suffix(".tmp"), target)
        self.outcomes += outcomes

    def merge(self, *, are_deleted: bool) -> None:
        """Merge all neighbours, as the compactor does; after a minute the parts are gone too."""
        for kind in Kind:
            within = self.folder / kind
            by_log: dict[tuple[str, str], list[Segment]] = {}
            for path in segments.covering(within) if within.is_dir() else []:
                if one := Segment.of_name(path.name):
                    by_log.setdefault((one.node, one.log), []).append(one)
            for parts in by_log.values():
                whole = within / replace(parts[0], end=parts[-1].end).name
                if len(parts) > 1:
                    sources = ", ".join(quoted(within / one.name) for one in parts)
                    connect().execute(
                        f"COPY (SELECT * FROM read_parquet([{sources}])) TO {quoted(whole)} (FORMAT parquet)"  # noqa: S608
                    )
                    for one in parts if are_deleted else ():
                        (within / one.name).unlink()

    def _target(self, kind: Kind, node: str, rows: int) -> Path:
        within, log = self.folder / kind, "0" * 32
        within.mkdir(parents=True, exist_ok=True)
        start = self.ends.get((kind, node, log), 0)
        self.ends[kind, node, log] = start + max(rows, 1)
        return within / Segment(node, log, start, start + max(rows, 1)).name


@dataclass(frozen=True)
class Said:
    """What accounts say at a watermark."""

    sums: Mapping[str, ClosedSums]
    enrolled: list[list[list[int]]]
    first_us: int | None
    two_armed: int
    received: Mapping[str, tuple[int, ...]]


FROM = (SINCE_US, BEGIN_US + 5_000_000, BEGIN_US + 12_000_001)


def said(books: Books, watermark_us: int, asked: Asked = ASKED) -> Said:
    def question(accounts: Accounts, outcomes: Mapping[str, Outcomes]) -> Said:
        return Said(
            {one.name: accounts.closed(one.name, watermark_us) for one in asked.everything},
            [accounts.enrolled(from_us).tolist() for from_us in FROM],
            accounts.first_us(),
            accounts.two_armed,
            {name: astuple(one.received) for name, one in outcomes.items()},
        )

    return books.ask(asked, question, 0)


def check(found: Said, place: Place, watermark_us: int) -> None:
    """Compare every number with the recount."""
    for metric in ASKED.everything:
        own = found.sums[metric.name]
        cells = {
            (day, block, arm): (
                int(own.units[index, block, arm]),
                int(own.nonzero[index, block, arm]),
                own.totals[index, block, arm].tolist(),
                own.products[index, block, arm].tolist(),
                int(own.fraction_nano[index, block, arm]),
            )
            for index, day in enumerate(own.days)
            for block in range(2)
            for arm in range(2)
            if own.units[index, block, arm]
        }
        assert cells == oracle.sums(place.requests, place.outcomes, metric, watermark_us, SINCE_US), (
            metric.name
        )
    assert found.enrolled == [oracle.enrolled(place.requests, SINCE_US, from_us) for from_us in FROM]
    one_armed = [
        unit.enrolment for unit in oracle.analysed(place.requests, SINCE_US).values() if len(unit.arms) == 1
    ]
    assert found.first_us == min(one_armed, default=None)
    assert found.two_armed == oracle.two_armed(place.requests, SINCE_US)
    assert found.received == {name: oracle.received(place.outcomes, name) for name in ("bought", "clicked")}


STEPS = st.one_of(
    st.tuples(
        st.just("file"), st.lists(REQUESTS, min_size=1, max_size=8), st.sampled_from(["node-1", "node-2"])
    ),
    st.tuples(
        st.just("file"), st.lists(REQUESTS, min_size=1, max_size=8), st.sampled_from(["node-1", "node-2"])
    ),
    st.tuples(
        st.just("tell"), st.lists(OUTCOMES, min_size=1, max_size=8), st.sampled_from(["app-1", "app-2"])
    ),
    st.tuples(st.just("ask"), st.sampled_from([0, 12_000_000, 40_000_000, 60_000_000]), st.booleans()),
    st.tuples(st.just("merge"), st.booleans(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(STEPS, min_size=2, max_size=14))
def test_accounts_equal_a_recount_after_every_step(steps: list[tuple[str, object, object]]) -> None:
    with TemporaryDirectory() as name:
        place = Place(Path(name))
        books = Books(place.folder, cursors=place.cursors)
        for what, given_, where in [*steps, ("ask", 40_000_000, True)]:
            match what, given_, where:
                case "file", list(requests), str(node):
                    place.file(requests, node)
                case "tell", list(outcomes), str(node):
                    place.tell(outcomes, node)
                case "merge", bool(are_deleted), _:
                    place.merge(are_deleted=are_deleted)
                case "restart", _, _:
                    books = Books(place.folder, cursors=place.cursors)
                case "ask", int(later_us), is_checked:
                    # A watermark may fall: a node that was away has come back.
                    for watermark_us in (BEGIN_US + later_us, BEGIN_US + 22_000_000, BEGIN_US + later_us):
                        check(said(books, watermark_us), place, watermark_us)
                    if is_checked:
                        assert all(one.differs == () for one in books.check(0))


def test_of_one_key_the_least_counts_whenever_it_comes(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(0)], "node-1")
    books = Books(tmp_path, cursors=place.cursors)
    for since_us, value, total in ((3, 5, 3), (2, 3, 3), (2, 2, 2), (9, 1, 2), (2, 2, 2), (-6_000_000, 9, 0)):
        place.tell([Outcome("ada", "clicked", BEGIN_US + since_us, value, "k")], "app-1")
        found = said(books, BEGIN_US + 40_000_000)
        check(found, place, BEGIN_US + 40_000_000)
        assert found.sums["spent"].totals[..., 0].sum() == total * 1_000_000


@pytest.mark.parametrize("since_us", [0, -1, -7_000_000])
def test_a_unit_that_came_earlier_than_was_known_is_counted_again(since_us: int, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(1_000_000 * second, code=500) for second in (0, 3, 9, 14)], "node-1")
    place.tell([Outcome("ada", "clicked", BEGIN_US + 9_500_000, 1, "k")], "app-1")
    books = Books(tmp_path, cursors=place.cursors)
    check(said(books, BEGIN_US + 40_000_000), place, BEGIN_US + 40_000_000)
    place.file([histories.request_at(since_us, route="ranker/control/2")], "node-2")
    later = said(books, BEGIN_US + 40_000_000)
    check(later, place, BEGIN_US + 40_000_000)
    requests = {0: 4, -1: 4, -7_000_000: 2}[since_us]
    assert later.sums["errors"].totals[..., 1].sum() == requests
    assert [one.differs for one in books.check(0)] == [()]


@pytest.mark.parametrize("since_us", [-1, 0, 1])
def test_requests_before_a_run_began_belong_to_an_older_one(since_us: int, tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(0), histories.request_at(1_000_000)], "node-1")
    asked = replace(ASKED, since_us=BEGIN_US + since_us)
    books = Books(tmp_path, cursors=place.cursors)
    assert said(books, BEGIN_US + 40_000_000, asked).first_us == BEGIN_US + (1_000_000 if since_us > 0 else 0)


def test_a_second_run_and_another_revision_are_read_apart(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(0, rev=rev, unit=f"unit {rev}") for rev in ("3", "4", "4")], "node-1")
    books = Books(tmp_path, cursors=place.cursors)
    other = replace(ASKED, run=replace(RUN, revision=4), counters=ASKED.counters[:1], told=())
    for asked in (ASKED, other):
        (found,) = said(books, BEGIN_US + 40_000_000, asked).sums["errors"].units.sum(axis=(1, 2))
        assert found == 1
    place.file([histories.request_at(1, rev="4", unit="one more")], "node-2")
    assert said(books, BEGIN_US + 40_000_000, other).sums["errors"].units.sum() == 2
    assert [(one.run.revision, one.units, one.differs) for one in books.check(0)] == [(3, 1, ()), (4, 2, ())]


def test_what_is_filed_but_not_counted_may_be_taken_back(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(0)], "node-1")
    counted = place.cursors()
    books = Books(tmp_path, cursors=lambda: counted)
    place.file([histories.request_at(1, unit="bo")], "node-1")
    assert said(books, BEGIN_US + 40_000_000).sums["errors"].units.sum() == 1
    counted = place.cursors()
    assert said(books, BEGIN_US + 40_000_000).sums["errors"].units.sum() == 2


def test_bytes_that_are_counted_but_not_there_are_named(tmp_path: Path) -> None:
    place = Place(tmp_path)
    books = Books(tmp_path, cursors=place.cursors)
    for second in range(3):
        place.file([histories.request_at(second)], "node-1")
    (tmp_path / Kind.EXPOSURES / Segment("node-1", "0" * 32, 1, 2).name).unlink()
    with pytest.raises(Retry, match=r"lacks bytes 1 to 2 of the log 0{32} of node-1"):
        said(books, BEGIN_US)


def test_a_hole_from_before_every_run_holds_none_of_them(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number in range(3):
        place.file([histories.request_at(0, unit=f"unit {number}")], "node-1")
    within = tmp_path / Kind.EXPOSURES
    (within / Segment("node-1", "0" * 32, 1, 2).name).unlink()
    behind = within / Segment("node-1", "0" * 32, 2, 3).name
    oldest_s = ASKED.outcomes_from_us / 1e6
    os.utime(behind, (oldest_s, oldest_s + 1))
    with pytest.raises(Retry, match="lacks bytes 1 to 2"):
        said(Books(tmp_path, cursors=place.cursors), BEGIN_US)
    os.utime(behind, (oldest_s, oldest_s - 1))
    books = Books(tmp_path, cursors=place.cursors)
    assert said(books, BEGIN_US).enrolled[0] == [[2, 0], [0, 0]]
    place.file([histories.request_at(1, unit="unit 3")], "node-1")
    assert said(books, BEGIN_US).enrolled[0] == [[3, 0], [0, 0]]
    assert [one.differs for one in books.check(0)] == [()]


def test_memory_is_bounded_and_more_is_refused_with_what_to_do(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(second, unit=f"unit {second}") for second in range(200)], "node-1")
    assert said(Books(tmp_path, memory=10**6), BEGIN_US).enrolled[0] == [[200, 0], [0, 0]]
    with pytest.raises(Retry, match="evidence_memory_mib"):
        said(Books(tmp_path, memory=10**4), BEGIN_US)


HORIZON_US = BEGIN_US + 12_000_000


@settings(max_examples=25)
@given(
    st.lists(REQUESTS, min_size=1, max_size=12),
    st.lists(REQUESTS, max_size=12),
    st.lists(OUTCOMES, max_size=8),
)
def test_what_is_summed_up_before_it_expires_leads_to_the_same_numbers(
    before: list[Request], after: list[Request], told: list[Outcome]
) -> None:
    """What comes after it, of before the horizon, is too late; else nothing shows that anything expired."""
    older = [one for one in before if time_of(one) < HORIZON_US]
    later = [one for one in (*before, *after) if time_of(one) >= HORIZON_US]
    with TemporaryDirectory() as name:
        place = Place(Path(name))
        for requests, node in ((older, "node-1"), (later, "node-2")):
            if requests:
                place.file(requests, node)
        if told:
            place.tell(told, "app-1")
        kept = Books(place.folder, cursors=place.cursors)
        watermark_us = BEGIN_US + 40_000_000
        whole = said(kept, watermark_us)
        kept.sum_up([ASKED], HORIZON_US, 0)
        within = place.folder / Kind.EXPOSURES
        for path in within.glob("node-1*.parquet"):
            found = Segment.of_name(path.name)
            assert found is not None
            segments.expire(within, found)
            path.unlink()
        place.file([histories.request_at(0, unit="too late")], "node-3")
        anew = Books(place.folder, cursors=place.cursors)
        for books in (kept, anew):
            found_ = said(books, watermark_us)
            check(found_, replace(place, requests=[*older, *later]), watermark_us)
            assert found_.enrolled == whole.enrolled
        assert [one.differs for one in kept.check(0)] == [()]


def test_what_was_summed_up_must_answer_what_is_asked(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(0)], "node-1")
    Books(tmp_path, cursors=place.cursors).sum_up([ASKED], HORIZON_US, 0)
    other = replace(ASKED, counters=(Counter("slow", WINDOW, (LIMIT_US, LIMIT_US)),))
    with pytest.raises(Retry, match="start a new revision"):
        said(Books(tmp_path, cursors=place.cursors), BEGIN_US, other)


def test_of_what_was_summed_up_the_newest_two_are_kept(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file([histories.request_at(0)], "node-1")
    books = Books(tmp_path, cursors=place.cursors)
    for day in range(4):
        books.sum_up([ASKED], HORIZON_US + day, 0)
        books.sum_up([ASKED], HORIZON_US - 1, 0)
    assert len(list((tmp_path / "firsts").iterdir())) == 2
