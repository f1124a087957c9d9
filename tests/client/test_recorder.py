"""Outcomes told in the background, to a real door: none lost, none twice, and never in the caller's way."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rollout.api.access import application_of
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.outcomes import Door, outcomes_router
from rollout.client import OutcomeRecorder, Pace
from rollout.client.telling import line_of
from tests.api.doomed import NOW_US, door
from tests.api.serving import TOKEN, serving
from tests.client.strange import nobody
from tests.command import environment

QUICK = Pace(batch=50, age_s=0.02, longest_pause_s=0.2, timeout_s=5.0)
AT = NOW_US - 1_000_000


def application(entrance: Door) -> Iterator[str]:
    with serving(create_app([outcomes_router(entrance, application_of([TOKEN], Applications()))])) as url:
        yield url


@pytest.fixture(name="entrance")
def _entrance(tmp_path: Path) -> Iterator[Door]:
    found = door(tmp_path)
    yield found
    found.spool.close()


@pytest.fixture(name="url")
def _url(entrance: Door) -> Iterator[str]:
    yield from application(entrance)


def spooled(folder: Path) -> list[dict[str, object]]:
    file = folder / "outcomes.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_what_is_recorded_is_on_the_door_s_disk_once(url: str, tmp_path: Path) -> None:
    with OutcomeRecorder(url, token=TOKEN, pace=QUICK) as recorder:
        for number in range(130):
            assert recorder.record_outcome(f"user {number}", "bought", 1, at=AT)
        recorder.record_outcome(
            "ada", "revenue", 3.5, at=datetime.fromtimestamp(AT / 1e6, UTC), key="order 7"
        )
        assert recorder.flush(20.0)
        assert (recorder.delivered, recorder.dropped, recorder.refused, recorder.waiting) == (131, 0, 0, 0)
    found = spooled(tmp_path)
    assert len(found) == len({row["idem_key"] for row in found}) == 131
    assert found[-1]["value_u"] == 3_500_000
    assert found[-1]["ts_us"] == AT


def test_a_door_that_comes_late_gets_everything_once(tmp_path: Path, entrance: Door) -> None:
    with nobody() as url:
        recorder = OutcomeRecorder(url, token=TOKEN, pace=QUICK)
        for number in range(20):
            recorder.record_outcome(f"user {number}", "bought", 0, at=AT)
        assert not recorder.flush(0.3)
        assert (recorder.waiting, recorder.dropped) == (20, 0)
    again = OutcomeRecorder(url, token=TOKEN, pace=QUICK)
    assert not recorder.close(0.0), "nobody came"
    assert recorder.dropped == 20
    assert not recorder.record_outcome("late", "bought", 1), "it has ended"
    for url_now in application(entrance):
        assert again.close(5.0), "nothing was recorded"
        with OutcomeRecorder(url_now, token=TOKEN, pace=QUICK) as third:
            third.record_outcome("ada", "bought", 1, at=AT)
    assert len(spooled(tmp_path)) == 1


def test_a_broken_answer_is_asked_again_under_the_same_key(tmp_path: Path, entrance: Door) -> None:
    app = create_app([outcomes_router(entrance, application_of([TOKEN], Applications()))])
    lost = iter([True, True])

    @app.middleware("http")
    async def lose(request: object, call_next: object) -> object:
        answer = await call_next(request)  # type: ignore[operator]
        if next(lost, False):
            answer.status_code = 503  # the outcomes are on the disk, and the caller does not know
        return answer

    with serving(app) as url, OutcomeRecorder(url, token=TOKEN, pace=QUICK) as recorder:
        recorder.record_outcome("ada", "bought", 1, at=AT)
        assert recorder.flush(20.0)
        assert recorder.delivered == 1
    found = spooled(tmp_path)
    assert len(found) == 3
    assert len({json.dumps(row) for row in found}) == 1, "repeats are told from each other by nothing"


def test_what_has_no_room_is_dropped_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    pace = Pace(room=10, batch=5, age_s=60.0, timeout_s=1.0)
    with nobody() as url, caplog.at_level(logging.WARNING, "rollout.client"):
        recorder = OutcomeRecorder(url, pace=pace)
        kept = [recorder.record_outcome("ada", "bought", 1) for _ in range(1_000)]
        assert sum(kept) + recorder.dropped == 1_000
        assert 10 <= sum(kept) <= 20
        assert recorder.dropped > 900
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 1, "at most one a minute"
        recorder.close(0.0)
    assert recorder.dropped == 1_000


@pytest.mark.parametrize(
    ("unit", "value", "at"),
    [
        ("ada", float("nan"), AT),
        ("ada", "7", AT),
        (7, 1, AT),
        ("ada", 1, datetime(2026, 11, 22)),  # noqa: DTZ001 (this is what is wrong with it)
        ("ada", 1, 1.5),
        ("ada", 0.5, AT),
        ("", 1, AT),
        ("\ud800", 1, AT),
    ],
)
def test_what_cannot_be_told_is_counted_and_breaks_nobody(
    url: str, unit: str, value: float, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    with OutcomeRecorder(url, token=TOKEN, pace=QUICK) as recorder:
        assert recorder.record_outcome(unit, "bought", value, at=at)
        recorder.record_outcome("fine", "bought", 1, at=AT)
        assert recorder.flush(20.0)
        assert (recorder.delivered, recorder.refused) == (1, 1)
    assert "outcome" in caplog.text


def test_a_wrong_token_keeps_what_waits(url: str) -> None:
    recorder = OutcomeRecorder(url, token="wrong-token-wrong", pace=QUICK)  # noqa: S106 (it opens nothing)
    recorder.record_outcome("ada", "bought", 1, at=AT)
    assert not recorder.flush(0.3)
    assert recorder.waiting == 1
    assert not recorder.close(0.0)


def test_many_threads_and_a_loop_of_events_share_one(url: str, tmp_path: Path) -> None:
    async def handler(recorder: OutcomeRecorder, number: int) -> None:
        recorder.record_outcome(f"async {number}", "bought", 1, at=AT)
        await asyncio.sleep(0)

    async def serve(recorder: OutcomeRecorder) -> None:
        await asyncio.gather(*(handler(recorder, number) for number in range(100)))
        assert await asyncio.to_thread(recorder.flush, 20.0)

    def many(recorder: OutcomeRecorder, own: int) -> None:
        for number in range(200):
            recorder.record_outcome(f"{own} {number}", "bought", 1, at=AT)

    with OutcomeRecorder(url, token=TOKEN, pace=QUICK) as recorder:
        threads = [threading.Thread(target=many, args=(recorder, own)) for own in range(4)]
        for thread in threads:
            thread.start()
        asyncio.run(serve(recorder))
        for thread in threads:
            thread.join()
        assert recorder.flush(20.0)
        assert recorder.delivered == 900
    assert len({row["unit"] for row in spooled(tmp_path)}) == 900


PROGRAM = """
import os, sys
from rollout.client import OutcomeRecorder, Pace

recorder = OutcomeRecorder(sys.argv[1], token=sys.argv[2], pace=Pace(age_s=30.0))
recorder.record_outcome("parent", "bought", 1, at={at})
child = os.fork()
if child == 0:
    assert recorder.waiting == 0
    recorder.record_outcome("child", "bought", 1, at={at})
    os._exit(0 if recorder.close() else 1)
assert os.waitpid(child, 0)[1] == 0
recorder.record_outcome("parent later", "bought", 1, at={at})
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_tells_its_own_and_the_end_of_the_process_tells_the_rest(url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{at}", str(AT)), url, TOKEN],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len({row["unit"] for row in spooled(tmp_path)}) == len(spooled(tmp_path)) == 3


def test_the_door_s_line_says_everything() -> None:
    line = json.loads(line_of(("Zoë", "bought", True, AT, None), "drawn-1"))
    assert line == {"unit": "Zoë", "metric": "bought", "ts_us": AT, "value": 1.0, "key": "drawn-1"}


def test_importing_the_client_stays_light() -> None:
    heavy = ("numpy", "pandas", "scipy", "duckdb", "sqlalchemy", "fastapi", "ruamel")
    code = (
        "import sys, rollout.client; from rollout.client import OutcomeRecorder\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = (
        "import sys, rollout.client; print([name for name in ('httpx', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", "what nobody asked for is not imported"


def test_without_a_need_there_is_no_thread() -> None:
    with OutcomeRecorder("http://127.0.0.1:9") as recorder:
        assert recorder.flush(1.0)
        assert not [one for one in threading.enumerate() if one.name == "rollout-outcomes" and one.is_alive()]
    with pytest.raises(ValueError, match="batch"):
        Pace(batch=0)
