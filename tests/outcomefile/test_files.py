"""Files of outcomes: what is wrong with each is said with its line, and nothing is repaired."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from rollout.errors import NotReadable
from rollout.outcomefile import repeats
from rollout.outcomefile.columns import Asked, mapped
from rollout.outcomefile.findings import SHOWN
from rollout.outcomefile.moments import Moments, TimeUnit
from rollout.outcomefile.reading import Standard
from rollout.outcomefile.record import LONGEST_LINE
from rollout.outcomefile.source import Form, form_of
from tests.api.doomed import NOW_US
from tests.lake.histories import BEGIN_US
from tests.outcomefile.files import ROW, as_csv, as_json, as_parquet, checked, whys, written

HEAD = "unit,metric,ts_us,value,key\n"
GOOD = f"ada,bought,{BEGIN_US},1,order 7\n"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metric": "bougth"}, "metric: 'bougth' is unknown; did you mean 'bought'?"),
        ({"metric": "churned"}, "metric: 'churned' is unknown; no running policy asks for it"),
        ({"value": 0.5}, "value: must be 0 or 1 for a binary metric (got 0.5)"),
        ({"metric": "visits", "value": 1.5}, "whole number, not negative, for a count (got 1.5)"),
        ({"metric": "revenue", "value": 4_000_001}, "within ±4000000"),
        ({"unit": " \t"}, "unit: must be 1 to 512 characters, and not blank"),
        ({"unit": "x" * 513}, "512 characters"),
        ({"key": "k" * 513}, "key: must be 1 to 512 characters, or left out"),
        ({"ts_us": BEGIN_US // 1_000_000}, "these look like seconds"),
        ({"ts_us": BEGIN_US // 1_000}, "these look like milliseconds"),
        ({"ts_us": BEGIN_US * 1_000}, "these look like nanoseconds"),
        ({"ts_us": NOW_US - 91 * 86_400_000_000}, "leave out what is older"),
        ({"ts_us": NOW_US + 301_000_000}, "5 minutes ahead"),
    ],
)
def test_what_the_door_refuses_is_found_in_every_format_with_its_line(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    rows = [ROW, {**ROW, **change}, {**ROW, "unit": "bea"}]
    cells = ", ".join("({})".format(", ".join(f"'{cell}'" for cell in row.values())) for row in rows)
    typed = (
        "SELECT unit, metric, ts_us::BIGINT AS ts_us, value::DOUBLE AS value, key "  # noqa: S608 (our own rows)
        f"FROM (VALUES {cells}) AS told(unit, metric, ts_us, value, key)"
    )
    for file, line in (
        (written(tmp_path, as_csv(rows)), 3),
        (written(tmp_path, as_json(rows), "told.jsonl"), 2),
        (as_parquet(tmp_path / "told.parquet", typed), 2),
    ):
        found = checked(file)
        ((where, said),) = whys(found)
        assert (where, found.rows, found.good, found.rejected) == (line, 3, 2, 1), file.name
        assert why in said


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('ada,bought,NOW,"1,5",k', "value: must be a number (got '1,5': write a decimal point)"),
        ("ada,bought,NOW,nan,k", "value: must be a number (got 'nan')"),
        ("ada,bought,NOW,1_0,k", "value: must be a number"),
        ("ada,bought,NOW,,k", "value: must be a number (got '')"),
        ("ada,bought,NOW.5,1,k", "ts_us: must be a whole number"),
        ("ada,bought,2026-01-01T00:00:00Z,1,k", "other times stand in a column 'time'"),
        ("ada,bought,NOW,1", "4 cells, but 5 columns"),
        ("ada,bought,NOW,1,k,", "6 cells, but 5 columns"),
        ('ada,bought,NOW,1,"k"k', "',' expected after '\"'"),
        ("ada\rbea,bought,NOW,1,k", "new-line character"),
        ("x" * (LONGEST_LINE + 1), "longer than 128 KiB"),
    ],
)
def test_what_only_csv_can_do_wrong_costs_one_row(tmp_path: Path, row: str, why: str) -> None:
    found = checked(written(tmp_path, HEAD + row.replace("NOW", str(BEGIN_US)) + "\n" + GOOD))
    ((line, said),) = whys(found)
    assert (line, found.good) == (2, 1)
    assert why in said


def test_rows_of_several_lines_keep_the_numbers_right(tmp_path: Path) -> None:
    lines = [
        HEAD,
        f'"a\nb\r\n\nc",bought,{BEGIN_US},1,k1\r\n',
        "\n",
        "only,three,cells\n",
        f'"open,bought,{BEGIN_US},1,k2\n',
        f'also "fine,bought,{BEGIN_US},1,k3\n',
        "too,few\n",
        f'"ends ""well""",bought,{BEGIN_US},1,k4',
    ]
    found = checked(written(tmp_path, "".join(lines)))
    assert [(line, why[:12]) for line, why in whys(found)] == [
        (7, "3 cells, but"),
        (8, "a quote is o"),
        (10, "2 cells, but"),
    ]
    assert found.good == 3


def test_an_open_quote_costs_its_own_line_however_much_follows(tmp_path: Path) -> None:
    many = "".join(f"u{number},bought,{BEGIN_US},1,k{number}\n" for number in range(10_000))
    for opening, expected in ((f'"open,bought,{BEGIN_US},1,k\n', 10_000), ('"\n' * 3, 10_000)):
        found = checked(written(tmp_path, HEAD + many + opening))
        assert found.good == expected
        found = checked(written(tmp_path, HEAD + opening + many))
        assert (found.good, {line for line, _ in whys(found)} <= {2, 3, 4}) == (expected, True)
    found = checked(written(tmp_path, HEAD + '"open\n' * 1_002))
    assert "more than 1,000 quotes are left open" in str(found.failures[0])


def test_bytes_that_are_no_text_cost_one_row(tmp_path: Path) -> None:
    for name, head, bad, good, line in (
        ("a.csv", HEAD.encode(), f"M\xfcller,bought,{BEGIN_US},1,k\n".encode("latin-1"), GOOD, 2),
        ("a.jsonl", b"", as_json([ROW]).replace("ada", "\xfc").encode("latin-1"), as_json([ROW]), 1),
    ):
        found = checked(written(tmp_path, head + bad + good.encode(), name))
        ((where, why),) = whys(found)
        assert (where, found.good) == (line, 1)
        assert "utf-8" in why.lower()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"unit": "ada"', "truncated"),
        ("17", "must be a JSON object (got 17)"),
        (as_json([{**ROW, "value": "1"}]), "Expected `float`, got `str`"),
        (as_json([{**ROW, "unit": 17}]), "Expected `str`, got `int`"),
        (as_json([{"unit": "ada"}]), "missing required field `metric`"),
        (as_json([{**ROW, "time": 1}]), "the row has a ts_us too"),
        (as_json([{**ROW, "key": ""}]), "key: must be 1 to 512 characters, or left out"),
    ],
)
def test_json_lines_are_read_as_the_door_reads_them(tmp_path: Path, line: str, why: str) -> None:
    found = checked(written(tmp_path, f"\n{line.strip()}\r\n \n{as_json([ROW])}", "told.ndjson"))
    ((where, said),) = whys(found)
    assert (where, found.rows, found.good) == (2, 2, 1)
    assert why in said


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.jsonl", b"", "it is empty"),
        ("a.csv", b"\n\n", "it has no header"),
        ("a.csv", b"unit,unit,metric,ts_us,value\n", "two columns are named 'unit'"),
        ("a.csv", f"ada,bought,{BEGIN_US},1\n".encode(), "is the header missing?"),
        ("a.csv", b"unit;metric;ts_us;value\n", "--delimiter ';'"),
        ("a.csv", b"unit,metric,value\n", "no column 'ts_us' or 'time'"),
        ("a.csv", b"unit,metric,ts_us,time,value\n", "both 'ts_us' and 'time' say when"),
        (
            "a.csv",
            b"units,metric,ts_us,value\n",
            "no column 'unit'; --map COLUMN=unit says which it is of units, metric, ts_us, value",
        ),
        ("a.csv", b"unit,ts_us,value\n", "or --metric NAME in a file of one metric"),
        ("a.csv", b"\x93\xff,metric\n", "the header is not UTF-8"),
        ("a.csv", b'"unit,metric\nada,bought\n', "no header: a quote is opened"),
        ("a.csv", "unit,metric\n".encode("utf-16"), "it is UTF-16 text"),
        ("a.csv", bytes(range(256)) * 9, "it is binary, no text"),
        ("a.jsonl", b"PAR1\0\0", "it is Parquet"),
        ("a.parquet", b"PAR1\0\0", "is it Parquet, and whole?"),
        ("a.parquet", b"", "is it Parquet, and whole?"),
        ("a.jsonl", b" [{}]\n", "it is a JSON list, not JSON lines"),
        ("a.csv.gz", gzip.compress(HEAD.encode(), mtime=0)[:-9], "the gzip is damaged, or ends too early"),
        ("a.csv.gz", b"\x1f\x8bnot packed", "the gzip is damaged, or ends too early"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    found = checked(written(tmp_path, content, name))
    assert why in str(found.failures[0])
    assert (found.rows, found.is_fine) == (0, False)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    for name in ("folder.csv", "folder.parquet"):
        (tmp_path / name).mkdir()
        assert "is a directory" in str(checked(tmp_path / name).failures[0])
        assert "no such file" in str(checked(tmp_path / f"absent {name}").failures[0])
    for name, why in (("told.txt", "ends in none of .csv"), ("-", "its format is not known")):
        with pytest.raises(NotReadable, match=why):
            form_of(name, None)
    assert form_of("told.csv.gz", None) is Form.CSV
    assert form_of("told.txt", Form.LINES) is Form.LINES


def test_packed_text_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    for name, content in (
        ("a.csv.gz", gzip.compress(HEAD.encode()) + gzip.compress(GOOD.encode())),
        ("a.csv", b"\xef\xbb\xbf" + (HEAD + GOOD).replace("\n", "\r\n").encode()),
        ("a.jsonl", b"\xef\xbb\xbf" + as_json([ROW]).encode()),
        ("a.jsonl.gz", gzip.compress(as_json([ROW]).encode())),
    ):
        found = checked(written(tmp_path, content, name))
        assert (found.rows, found.good, found.failures) == (1, 1, ())


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_cells_may_be_separated_otherwise(tmp_path: Path, sign: str) -> None:
    file = written(tmp_path, (HEAD + GOOD + 'ada,bought,NOW,"1,5",k\n').replace(",", sign))
    found = checked(file, Asked(delimiter=sign), rejects=tmp_path / "mend.csv")
    assert (found.good, found.rejected) == (1, 1)
    assert (
        (tmp_path / "mend.csv").read_text().startswith(sign.join(["rejected_line", "rejected_because", "u"]))
    )


def test_only_a_header_is_no_row_and_no_failure(tmp_path: Path) -> None:
    found = checked(written(tmp_path, HEAD))
    assert (found.rows, found.is_fine) == (0, True)


def test_a_packed_file_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    rows = "".join(f"u{number},bought,{BEGIN_US},1,{number * 7919}\n" for number in range(50_000))
    packed = gzip.compress((HEAD + rows).encode())
    found = checked(written(tmp_path, packed[: len(packed) // 2], "a.csv.gz"))
    assert 0 < found.good < 50_000
    assert "ends too early" in str(found.failures[0])


def test_columns_may_have_other_names_and_one_metric_none(tmp_path: Path) -> None:
    file = written(tmp_path, f"who,at,amount,shop\nada,{BEGIN_US},1,x\nbea,{BEGIN_US},0,y\n")
    asked = Asked(mapped(["who=unit", "at=ts_us", "amount=value"]), "bought")
    found = checked(file, asked)
    assert (found.good, dict(found.metrics), list(found.unused), found.keyless) == (
        2,
        {"bought": 2},
        ["shop"],
        2,
    )
    lines = written(tmp_path, f'{{"who": "ada", "at": {BEGIN_US}, "amount": 1, "shop": 2}}\n', "a.jsonl")
    assert checked(lines, asked).good == 1
    assert (
        "so does --metric"
        in whys(checked(written(tmp_path, as_json([ROW]), "b.jsonl"), Asked({}, "x")))[0][1]
    )
    assert "so does --metric" in str(checked(written(tmp_path, HEAD), Asked({}, "x")).failures[0])
    assert "no column 'gone'" in str(checked(file, Asked(mapped(["gone=unit"]), "bought")).failures[0])
    for wrong, why in (("who", "COLUMN=NAME"), ("who=me", "COLUMN=NAME"), ("=unit", "COLUMN=NAME")):
        with pytest.raises(ValueError, match=why):
            mapped([wrong])
    with pytest.raises(ValueError, match="two columns for 'unit'"):
        mapped(["a=unit", "b=unit"])


@pytest.mark.parametrize(
    ("cell", "unit", "utc", "expected"),
    [
        ("2023-11-14T22:13:20Z", None, False, 1_700_000_000_000_000),
        ("2023-11-14 23:13:20.1234567+01:00", None, False, 1_700_000_000_123_456),
        ("2023-11-14T22:13:20", None, True, 1_700_000_000_000_000),
        ("2023-11-14T22:13:20", None, False, "says no zone"),
        ("2023-02-30T00:00:00Z", None, False, "there is no such time"),
        ("14.11.2023", None, False, "must be written as 2026-01-31T23:59:59Z"),
        ("1700000000", None, False, "add --time-unit"),
        ("1700000000.1234567", TimeUnit.SECONDS, False, 1_700_000_000_123_456),
        ("1700000000123.5", TimeUnit.MILLISECONDS, False, 1_700_000_000_123_500),
        ("1700000000123456", TimeUnit.MICROSECONDS, False, 1_700_000_000_123_456),
        ("1700000000123456789", TimeUnit.NANOSECONDS, False, 1_700_000_000_123_456),
        (1_700_000_000, TimeUnit.SECONDS, False, 1_700_000_000_000_000),
        (1_700_000_000.25, TimeUnit.SECONDS, False, 1_700_000_000_250_000),
        (float("nan"), TimeUnit.SECONDS, False, "must be a time"),
        (None, TimeUnit.SECONDS, False, "must be a time"),
        (True, TimeUnit.SECONDS, False, "must be a time"),
        ([1], TimeUnit.SECONDS, False, "must be a time"),
    ],
)
def test_times_are_read_exactly_and_never_guessed(
    cell: object, unit: TimeUnit | None, *, utc: bool, expected: int | str
) -> None:
    moments = Moments(unit, naive_is_utc=utc)
    if isinstance(expected, int):
        assert moments.of_time(cell) == expected
        return
    with pytest.raises(ValueError, match=expected):
        moments.of_time(cell)


def test_a_wrong_time_is_shown_as_the_row_writes_it(tmp_path: Path) -> None:
    file = written(tmp_path, "unit,metric,time,value\nada,bought,1999-01-01T00:00:00Z,1\n")
    ((_, why),) = whys(checked(file))
    assert why == "time: must be from 90 days ago to 5 minutes ahead (got '1999-01-01T00:00:00Z')"
    file = written(
        tmp_path,
        f'{{"unit": "ada", "metric": "bought", "time": {BEGIN_US // 1000}, "value": 1}}\n',
        "a.jsonl",
    )
    ((_, why),) = whys(checked(file, Asked(moments=Moments(TimeUnit.SECONDS))))
    assert why.endswith(f"(got {BEGIN_US // 1000}, read as s)")
    moment = "TIMESTAMPTZ '1999-01-01 00:00:00+00'"
    file = as_parquet(
        tmp_path / "a.parquet", f"SELECT 'a' AS unit, 'bought' AS metric, {moment} AS time, 1 AS value"
    )
    assert whys(checked(file))[0][1].endswith("ahead (got 1999-01-01T00:00:00+00:00)")


def test_parquet_has_types_and_they_are_kept(tmp_path: Path) -> None:
    told = (
        "SELECT 17 AS unit, 'bought' AS metric, 1.0::DECIMAL(9, 2) AS value, {} AS time, NULL::VARCHAR AS key"
    )
    moment = f"make_timestamp({BEGIN_US})"
    zoned = f"to_timestamp({BEGIN_US} / 1e6)"
    for cell, utc, why in (
        (zoned, False, None),
        (moment, True, None),
        (moment, False, "a timestamp without a zone"),
        ("[1, 2]", True, "must be a time"),
        ("NULL::TIMESTAMPTZ", True, "must be a time"),
    ):
        file = as_parquet(tmp_path / "a[1]*.parquet", told.format(cell))
        found = checked(file, Asked(moments=Moments(naive_is_utc=utc)))
        assert found.failures == ()
        assert (found.first_us == BEGIN_US) if why is None else why in whys(found)[0][1]
    for select, why in (
        ("SELECT NULL AS unit, 'bought' AS metric, 1 AS ts_us, 1 AS value", "unit: is missing"),
        ("SELECT 1.5::DOUBLE AS unit, 'bought' AS metric, 1 AS ts_us, 1 AS value", "unit: must be text"),
        ("SELECT '\\xFF'::BLOB AS unit, 'bought' AS metric, 1 AS ts_us, 1 AS value", "unit: not UTF-8"),
        ("SELECT 'a' AS unit, 'bought' AS metric, 1.0 AS ts_us, 1 AS value", "ts_us: must be a whole number"),
        ("SELECT 'a' AS unit, 'bought' AS metric, 1 AS ts_us, 'x' AS value", "value: must be a number"),
        (f"SELECT 'a' AS unit, 'bought' AS metric, {BEGIN_US} AS ts_us, 'nan'::DOUBLE AS value", "got nan"),
    ):
        assert why in whys(checked(as_parquet(tmp_path / "a.parquet", select)))[0][1]


def test_parquet_that_is_damaged_inside_says_how_far_it_was_read(tmp_path: Path) -> None:
    columns = f"'u' || range AS unit, 'bought' AS metric, {BEGIN_US} AS ts_us, 1 AS value, md5(unit) AS key"
    select = f"SELECT {columns} FROM range(300000)"  # noqa: S608 (a constant)
    file = as_parquet(tmp_path / "a.parquet", select)
    content = bytearray(file.read_bytes())
    middle = len(content) * 2 // 3
    content[middle : middle + 100_000] = bytes(100_000)
    file.write_bytes(content)
    found = checked(file)
    assert found.failures
    assert found.good < 300_000


def test_all_problems_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    bad = "".join(f"u{number},bougth,{BEGIN_US},1,k\n" for number in range(50))
    found = checked(written(tmp_path, HEAD + bad + "x\n"))
    assert (found.rejected, len(found.wrong)) == (51, SHOWN)
    assert dict(found.kinds) == {"metric": 50, "row": 1}


def test_without_metrics_what_no_metric_takes_is_still_refused(tmp_path: Path) -> None:
    rows = f"a,any,{BEGIN_US},2,k\nb,,{BEGIN_US},1,k\nc,any,{BEGIN_US},1e7,k\n"
    found = checked(written(tmp_path, HEAD + rows), standard=Standard(None, lambda: NOW_US))
    assert [why.split(" (")[0] for _, why in whys(found)] == [
        "metric: must not be blank",
        "value: must be within ±4000000",
    ]


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "HELD_ROWS", 2**8)
    monkeypatch.setattr(repeats, "ROWS_AT_ONCE", 2**9)

    def peak(rows: int) -> int:
        lines = "".join(f"u{number},bought,{BEGIN_US},1,k{number}\n" for number in range(rows))
        file = written(tmp_path, HEAD + lines)
        del lines
        tracemalloc.start()
        try:
            assert checked(file).good == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(9_000) < peak(3_000) + 2**19 < 8 * 2**20
