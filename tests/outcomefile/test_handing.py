"""Files through a real door: whatever is in the way, each good row is taken, and named when it is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from rollout.api.access import application_of
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.outcomes import outcomes_router
from rollout.api.told import Meaning, Wanted
from rollout.client.answers import PROBLEM
from rollout.client.connection import Patience
from rollout.client.outcomes import JSON
from rollout.outcomefile import handing
from rollout.outcomefile.columns import Asked
from rollout.outcomefile.findings import Findings
from rollout.outcomefile.reading import Standard, wanted_of
from rollout.outcomefile.source import form_of
from rollout.outcomefile.whole import found_in
from rollout.outcomefile.whole import handing as handing_to
from tests.api.doomed import METRICS, NOW_US, door
from tests.api.serving import TOKEN, serving
from tests.client.strange import nobody, reply, strange
from tests.lake.histories import BEGIN_US, HASHING
from tests.outcomefile.files import ROW, STANDARD, as_csv, as_json, served, spooled, told_to, whys, written

Sleep = Callable[[float], None]
SOON = Patience(tries=5, outlasts_timeouts=True)


def handed(
    file: Path,
    url: str,
    *,
    standard: Standard = STANDARD,
    rejects: Path | None = None,
    sleep: Sleep = lambda _: None,
) -> Findings:
    """Return what `rollout outcomes import` finds."""
    named = (str(file), form_of(str(file), None))
    kept = None if rejects is None else str(rejects)
    with told_to(url, sleep=sleep, patience=SOON) as there:
        return found_in(named, Asked(), handing_to(standard, there), rejects=kept)


def rows_of(count: int) -> list[dict[str, object]]:
    return [{**ROW, "unit": f"u{number}", "key": f"k{number}"} for number in range(count)]


def test_batches_are_bounded_and_all_of_them_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "BATCH_ROWS", 7)
    with served(tmp_path) as url:
        found = handed(written(tmp_path, as_csv(rows_of(100))), url)
        assert (found.rows, found.good, found.is_fine) == (100, 100, True)
        monkeypatch.setattr(handing, "BATCH_BYTES", 150)
        assert handed(written(tmp_path, as_json(rows_of(20)), "a.jsonl"), url).good == 20
    units = [one["unit"] for one in spooled(tmp_path)]
    assert units == [HASHING.unit(f"u{number}") for number in [*range(100), *range(20)]]


def test_the_door_says_what_it_wants(tmp_path: Path) -> None:
    with served(tmp_path) as url, told_to(url) as there:
        answer = there.wanted()
    assert (wanted_of(answer.metrics), answer.now_us) == (METRICS, NOW_US)
    assert wanted_of({"new": ["A_MEANING_OF_LATER"]}) == {"new": frozenset([Meaning.AMOUNT])}


def test_what_only_the_door_refuses_is_named_with_its_line_however_many(tmp_path: Path) -> None:
    good, gone = rows_of(300), [{**row, "metric": "ended"} for row in rows_of(300)]
    rows = [row for pair in zip(good, gone, strict=True) for row in pair]
    known: Wanted = {**METRICS, "ended": frozenset([Meaning.DID_IT])}
    with served(tmp_path) as url:
        found = handed(
            written(tmp_path, as_csv(rows)),
            url,
            standard=replace(STANDARD, metrics=known),
            rejects=tmp_path / "mend.csv",
        )
    assert (found.good, found.rejected, dict(found.kinds)) == (300, 300, {"metric": 300})
    assert whys(found)[:2] == [
        (line, "metric: 'ended' is unknown; no running policy asks for it") for line in (3, 5)
    ]
    lines = (tmp_path / "mend.csv").read_text().splitlines()
    assert lines[0] == "rejected_line,rejected_because,unit,metric,ts_us,value,key"
    assert [line.split(",")[0] for line in lines[1:]] == [str(2 * n + 3) for n in range(300)]
    assert {one["unit"] for one in spooled(tmp_path)} == {HASHING.unit(f"u{n}") for n in range(300)}


def test_rejects_are_mended_and_read_again_in_each_format(tmp_path: Path) -> None:
    rows = [
        ROW,
        {**ROW, "unit": 'Zoë, "用户"\n', "metric": "bougth"},
        {**ROW, "metric": "bougth", "key": "k"},
    ]
    for name, content in (
        ("a.csv", as_csv(rows) + "ragged,bougth\n"),
        ("a.jsonl", as_json(rows) + "{no json\n"),
    ):
        with served(tmp_path) as url:
            mend = tmp_path / f"mend-{name}"
            assert handed(written(tmp_path, content, name), url, rejects=mend).rejected == 3
            mended = mend.read_text().replace("bougth", "bought")
            again = handed(written(tmp_path, mended, name), url, rejects=mend)
        assert (again.good, again.rejected, list(again.unused)) == (2, 1, [])
        assert not list(tmp_path.glob(".mend*"))
    assert '"rejected_text":"{no json"' in (tmp_path / "mend-a.jsonl").read_text()
    first, second = (HASHING.unit(text) for text in ("ada", 'Zoë, "用户"\n'))
    assert [one["unit"] for one in spooled(tmp_path)] == [first, second, first] * 2


def test_rejects_go_where_a_link_points_and_leave_what_was_there_when_nothing_is_read(tmp_path: Path) -> None:
    file, target = written(tmp_path, as_csv([{**ROW, "value": 2}])), tmp_path / "target.csv"
    (tmp_path / "mend.csv").symlink_to(target)
    with nobody() as url:
        assert handed(file, url, rejects=tmp_path / "mend.csv").rejected == 1
    assert (tmp_path / "mend.csv").is_symlink()
    assert target.read_text().startswith("rejected_line,rejected_because,unit")
    before = target.read_text()
    with nobody() as url:
        assert handed(tmp_path / "gone.csv", url, rejects=target).failures
    assert target.read_text() == before


def test_a_door_that_asks_to_wait_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "BATCH_ROWS", 10)
    now, slept = [0.0], list[float]()
    entrance = door(tmp_path)
    entrance.allowance._now_s = lambda: now[0]  # noqa: SLF001 (the door's clock)
    entrance.allowance._per_s, entrance.allowance._burst = 10.0, 10.0  # noqa: SLF001

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    with serving(create_app([outcomes_router(entrance, application_of([TOKEN], Applications()))])) as url:
        found = handed(written(tmp_path, as_csv(rows_of(50))), url, sleep=sleep)
    entrance.spool.close()
    assert (found.good, found.is_fine) == (50, True)
    assert slept
    assert set(slept) == {1.0}, "as long as the door asked for"


ACCEPTED = json.dumps({"accepted": 3, "refused": 0, "problems": []})


def test_a_connection_that_breaks_is_tried_again_with_the_same_batch(tmp_path: Path) -> None:
    file = written(tmp_path, as_csv(rows_of(3)))
    slept: list[float] = []
    busy = reply("503 Busy", retry_after="2", content_type=PROBLEM)
    with strange([b"", busy, b"half an ans", reply("202 Accepted", ACCEPTED, content_type=JSON)]) as (
        url,
        asked,
    ):
        found = handed(file, url, sleep=slept.append)
    assert (found.good, found.failures) == (3, ())
    assert slept == [0.1, 2.0, 0.4]
    assert len(asked) == 4


@pytest.mark.parametrize(
    "answer",
    [
        {"accepted": 2, "refused": 0},
        {"accepted": 2, "refused": 1},
        {"accepted": 2, "refused": 1, "problems": [{"item": 3, "detail": "?"}]},
        {"accepted": 2, "refused": 1, "problems": [{"item": 0, "detail": "?"}, {"item": 0, "detail": "?"}]},
        {"accepted": 3, "refused": 0, "problems": [{"item": 0, "detail": "?"}]},
        {"accepted": "many"},
    ],
)
def test_an_answer_that_does_not_say_what_became_of_each_is_not_believed(
    tmp_path: Path, answer: dict[str, object]
) -> None:
    file = written(tmp_path, as_csv(rows_of(3)))
    with strange([reply("202 Accepted", json.dumps(answer), content_type=JSON)]) as (url, _):
        found = handed(file, url)
    assert (found.good, found.was_stopped) == (0, True)
    assert "does not say what became of each" in str(found.failures[0])


def test_patience_ends_and_what_was_taken_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "BATCH_ROWS", 3)
    file = written(tmp_path, as_csv(rows_of(9)))
    with strange([reply("202 Accepted", ACCEPTED, content_type=JSON)] + [b""] * SOON.tries) as (url, _):
        found = handed(file, url)
    assert (found.good, found.rejected, found.was_stopped) == (3, 0, True)
    with nobody() as url:
        assert "cannot connect" in str(handed(file, url).failures[0])
    refused = reply("401 Unauthorized", content_type=PROBLEM)
    with strange([refused]) as (url, asked):
        assert "the token was refused" in str(handed(file, url).failures[0])
    assert len(asked) == 1


UNITS = some.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text and bool(text.strip(" \t")))


@given(
    units=some.lists(UNITS, min_size=1, max_size=8),
    keys=some.one_of(some.none(), some.text(min_size=1, max_size=9).filter(lambda text: "\0" not in text)),
    name=some.sampled_from(["a.csv", "a.jsonl"]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_arrives_as_it_is(
    shared: tuple[Path, str], units: list[str], keys: str | None, name: str
) -> None:
    folder, url = shared
    rows = [{**ROW, "unit": unit, "key": keys} for unit in units]
    if keys is None:
        for row in rows:
            del row["key"]
    (folder / "outcomes.jsonl").write_bytes(b"")
    found = handed(written(folder, as_csv(rows) if name == "a.csv" else as_json(rows), name), url)
    assert (found.good, found.rejected, found.failures) == (len(units), 0, ())
    key = f"k{keys}" if keys is not None else f"c{BEGIN_US} 1000000"
    assert [(one["unit"], one["idem_key"]) for one in spooled(folder)] == [
        (HASHING.unit(unit), HASHING.key_of(f"default {key}")) for unit in units
    ]


@pytest.fixture(name="shared")
def _shared(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    with served(tmp_path) as url:
        yield tmp_path, url
