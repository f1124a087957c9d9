"""Envoy's lines: what fails, what left, what is kept, and what cannot be understood."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rollout.errors import WrongSettings
from rollout.lake.lines import times_us
from rollout.lake.record import Recorder
from rollout.lake.units import UnitHash
from tests.lake.histories import HASHING, as_lines, request_at


def read(lines: bytes) -> tuple[list[dict[str, object]], int, int]:
    """Return the rows that are kept, how many are only counted, and how many lines are bad."""
    found = Recorder(HASHING, lambda _experiment, ts_us: np.ones_like(ts_us)).read(lines)
    names = list(found.columns)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*found.columns.values(), strict=True)]
    for row in rows:
        row["route"] = [column[row["route"]] for column in found.routes.values()][1:]
    kept = [row for row in rows if row["known"]]
    counted = sum(int(str(row["requests"])) for row in rows if not row["known"])
    return kept, counted, len(found.bad)


@pytest.mark.parametrize(
    ("code", "flags", "attempts", "failed", "left"),
    [
        (200, "-", 1, False, False),
        (404, "-", 1, False, False),
        (429, "-", 1, True, False),
        (503, "-", 1, True, False),
        (200, "-", 2, True, False),
        (0, "-", 1, True, False),
        (0, "DC", 1, False, True),
        (0, "DC", 2, True, True),
        (0, "DR", 1, False, True),
        (200, "DC", 1, False, False),
        (200, "UC", 1, True, False),
        (504, "UT,DC", 1, True, False),
    ],
)
def test_an_error_is_a_failure_of_the_first_attempt(
    code: int, flags: str, attempts: int, *, failed: bool, left: bool
) -> None:
    ((row,), _, _) = read(as_lines([request_at(0, code=code, flags=flags, att=attempts)]))
    assert (row["first_failed"], row["left"]) == (failed, left)


@pytest.mark.parametrize(
    ("route", "code", "unit", "is_kept"),
    [
        ("ranker/control/1", 200, "ada", True),
        ("ranker/candidate1/12", 200, "ada", True),
        ("ranker/rest", 200, "ada", False),
        ("ranker/rest", 500, "ada", True),
        ("ranker/promoted", 200, "ada", True),
        ("ranker/holdback", 200, "ada", True),
        ("ranker/outside", 500, "ada", False),
        ("ranker/forced", 500, "ada", False),
        ("ranker/control/1", 200, " ", False),
        ("ranker/control/1", 200, None, False),
        (None, 404, None, False),
        ("-", 404, None, False),
    ],
)
def test_rows_are_kept_for_who_is_compared_and_all_else_is_counted(
    route: str | None, code: int, unit: str | None, *, is_kept: bool
) -> None:
    rows, others, bad = read(as_lines([request_at(0, route=route, code=code, unit=unit, rev="3")]))
    assert (len(rows), others, bad) == (int(is_kept), int(not is_kept), 0)


@pytest.mark.parametrize(
    "change",
    [
        {"ts": "1700000000"},
        {"ts": "1700000000.12345"},
        {"ts": 1700000000.123456},
        {"rev": "three"},
        {"rev": "-1"},
        {"route": "a/b/c/d"},
        {"route": "a/b/c"},
        {"route": "/b/1"},
        {"att": "1"},
        {"att": -1},
        {"code": 1000},
        {"dur_us": -1},
        {"dur_us": 2**60},
        {"dur_us": 1.5},
        {"unit": 7},
    ],
)
def test_a_wrong_field_makes_a_bad_line_and_never_a_wrong_row(change: dict[str, object]) -> None:
    good, _, _ = read(as_lines([request_at(1)]))
    assert read(as_lines([request_at(0, **change), request_at(1)])) == (good, 0, 1)


def test_a_bad_line_is_set_aside_as_it_stood_and_alone() -> None:
    good, wrong = as_lines([request_at(0)]), as_lines([request_at(1, route="a/b/c/d", more="column")])
    recorder = Recorder(HASHING, lambda _experiment, ts_us: np.ones_like(ts_us))
    for torn in (b"", b"{torn\n"):
        found = recorder.read(good + torn + wrong + good)
        assert found.bad == [*torn.splitlines(), wrong.rstrip(b"\n")]
        assert len(found.columns["ts_us"]) == 2


def test_times_are_the_same_one_by_one_and_all_at_once() -> None:
    texts = ["1700000000.123456", "0000000001.000000", "9999999999.999999"]
    assert times_us(texts).tolist() == [1_700_000_000_123_456, 1_000_000, 9_999_999_999_999_999]
    # Of these, one's seventh decimal would fit the other's missing digit.
    assert times_us(["1700000000.1234567", "700000000.123456"]).tolist() == [-1, 700_000_000_123_456]
    assert times_us([*texts, "1.000000"]).tolist() == [*times_us(texts).tolist(), 1_000_000]
    for wrong in ("1700000000,123456", "170000000.1234567", "1700000000.12345\u0661", "-700000000.123456"):
        assert times_us([texts[0], wrong]).tolist() == [1_700_000_000_123_456, -1]


def test_bad_lines_are_counted_and_what_stands_behind_a_torn_one_is_kept() -> None:
    line = as_lines([request_at(0)])
    assert read(b"") == ([], 0, 0)
    assert read(b"\n\n")[2] == 2
    assert read(b"[1]\n\xff\xfe\nnull\n")[2] == 3
    rows, _, bad = read(line[:30] + line + line)
    assert (len(rows), bad) == (2, 1)
    missing = json.dumps({key: value for key, value in request_at(0).items() if key != "unit"}).encode()
    assert read(missing + b"\n") == ([], 0, 1)


def test_a_unit_cannot_pretend_to_be_a_line() -> None:
    unit = '{"ts":"1700000000.000001"}'
    rows, _, bad = read(as_lines([request_at(0, unit=unit)]))
    assert (len(rows), bad) == (1, 0)


def test_a_unit_is_its_bytes_without_blanks_at_the_ends_under_the_clusters_key() -> None:
    other = UnitHash(b"another key, also of 32 bytes ..")
    assert HASHING.unit(" ada\t") == HASHING.unit("ada") != HASHING.unit("Ada")
    assert HASHING.unit("Zoë") != HASHING.unit("Zoe\u0308")
    assert HASHING.unit("\u00a0") is not None, "only blanks and tabs are stripped"
    assert other.unit("ada") != HASHING.unit("ada") != HASHING.key_of("ada")
    assert HASHING.key.decode() not in repr(HASHING)
    with pytest.raises(WrongSettings, match="16 to 64 bytes"):
        UnitHash(b"short")


def test_requests_that_are_only_counted_share_a_row_if_all_they_leave_is_alike() -> None:
    alike = [request_at(2_000_000 + n, route="ranker/rest", unit=f"u{n}", dur_us=1000 + n) for n in range(5)]
    others = [
        request_at(12_000_000, route="ranker/rest"),
        request_at(2_000_000, route="ranker/outside"),
        request_at(2_000_000, route="ranker/rest", rev="4"),
        request_at(2_000_000, route="ranker/rest", code=404),
        request_at(2_000_000, route="ranker/rest", dur_us=5000),
        request_at(2_000_000, route="ranker/rest", dur_us=None),
        request_at(2_000_000, route="ranker/outside", code=0, flags="DC"),
    ]
    kept = [request_at(3_000_000 + n, unit=f"u{n}") for n in range(2)]
    found = Recorder(HASHING, lambda _experiment, ts_us: np.ones_like(ts_us)).read(
        as_lines([kept[0], *alike, *others, kept[1]])
    )
    assert found.columns["requests"].tolist() == [1, 5, *[1] * len(others), 1]
    assert found.columns["known"].tolist() == [True, *[False] * (len(others) + 1), True]
    begins = found.columns["ts_us"][1:-1].astype(np.int64) % 10_000_000
    assert set(begins.tolist()) == {0}
