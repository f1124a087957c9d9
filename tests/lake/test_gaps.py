"""What was counted and is in no file of the lake is found, by log and byte; what has expired is no gap."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollout.domain.quality import EXPOSURES, OUTCOMES, Gap
from rollout.lake import segments
from rollout.lake.gaps import ASKED_EVERY_US, Completeness, Filed, missing
from rollout.lake.segments import Segment

LOG = "0123456789abcdef" * 2
AT_US = 1_700_000_000_000_000


def lake(tmp_path: Path, *ranges: tuple[int, int]) -> Path:
    """Return a lake of one node's requests in these ranges."""
    within = tmp_path / EXPOSURES
    within.mkdir(exist_ok=True)
    for start, end in ranges:
        path = within / Segment("n1", LOG, start, end).name
        path.touch()
        os.utime(path, ns=(0, (AT_US + end) * 1_000))
    return tmp_path


def filed(end: int, kind: str = EXPOSURES) -> Filed:
    return Filed(kind, "n1", LOG, end, AT_US + 1_000)


@pytest.mark.parametrize(
    ("ranges", "gaps"),
    [
        ([(0, 40), (40, 90)], []),
        ([(0, 90), (10, 40), (40, 60)], []),
        ([(0, 40), (40, 90), (90, 120)], []),
        ([(0, 40)], [(40, 90, 1_000)]),
        ([(40, 90)], [(0, 40, 90)]),
        ([(0, 20), (30, 50), (45, 60), (80, 90)], [(20, 30, 50), (60, 80, 90)]),
        ([], [(0, 90, 1_000)]),
    ],
)
def test_every_counted_byte_in_no_file_is_a_gap(
    tmp_path: Path, ranges: list[tuple[int, int]], gaps: list[tuple[int, int, int]]
) -> None:
    found = [
        (one.gap.start, one.gap.end, one.until_us - AT_US)
        for one in missing(lake(tmp_path, *ranges), [filed(90)])
    ]
    assert found == gaps


def test_what_has_expired_is_no_gap(tmp_path: Path) -> None:
    folder = lake(tmp_path, (40, 90))
    segments.expire(folder / EXPOSURES, Segment("n1", LOG, 0, 40))
    assert not list(missing(folder, [filed(90)]))


def test_a_folder_that_is_gone_lacks_everything(tmp_path: Path) -> None:
    (one,) = missing(tmp_path, [filed(90, OUTCOMES)])
    assert one.gap == Gap(OUTCOMES, "n1", LOG, 0, 90)


def test_a_gap_concerns_who_began_before_it_was_handed_in_and_is_asked_for_now_and_then(
    tmp_path: Path,
) -> None:
    folder, asked = lake(tmp_path, (0, 20), (30, 50)), []

    def counted() -> list[Filed]:
        asked.append(1)
        return [filed(50)]

    completeness = Completeness(folder, counted)
    gap = Gap(EXPOSURES, "n1", LOG, 20, 30)
    assert completeness.gaps(AT_US + 50, AT_US) == (gap,)
    assert completeness.gaps(AT_US + 51, AT_US + 1) == (), "all of it was handed in before"
    lake(tmp_path, (20, 30))
    assert completeness.gaps(AT_US, AT_US + ASKED_EVERY_US - 1) == (gap,)
    assert len(asked) == 1
    assert completeness.gaps(AT_US, AT_US + ASKED_EVERY_US) == ()
    assert completeness.gaps(AT_US, AT_US) == (), "a clock that was set back asks again"
    assert len(asked) == 3
