"""Accounts are made anew by a request, beside the looks, and by the verb that shows what came of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout.api.access import bearer
from rollout.api.accounts import accounts_router
from rollout.api.app import create_app
from rollout.intake.rebuilding import Rebuilding
from rollout.lake.accounts.books import Books, Compared, ignore
from rollout.stats.arrays import IntArray
from tests.api.serving import TOKEN, serving
from tests.command import run
from tests.lake import histories
from tests.lake.histories import BEGIN_US
from tests.lake.test_accounts import Place, said


class Slow(Books):
    """Waits with its answer until it is let."""

    may_answer = threading.Event()

    def check(self, now_us: int, on_read: Callable[[int], object] = ignore) -> tuple[Compared, ...]:
        found = super().check(now_us, on_read)
        assert self.may_answer.wait(60)
        return found


@contextmanager
def house(books: Books) -> Iterator[str]:
    with serving(create_app([accounts_router(Rebuilding(books, lambda: 0), bearer([TOKEN]))])) as url:
        yield url


def asked_books(folder: Path, kind: type[Books] = Books) -> tuple[Books, Place]:
    """Return books that a run was asked about, over three units' requests."""
    place = Place(folder)
    place.file([histories.request_at(0, unit=f"unit {number}") for number in range(3)], "node-1")
    books = kind(folder, cursors=place.cursors)
    said(books, BEGIN_US)
    return books, place


def rebuilt(url: str, *options: str, home: Path) -> tuple[int, str, str]:
    settings = {"ROLLOUT_CONTROL_URL": url, "ROLLOUT_TOKEN": TOKEN}
    result = run("evidence", "rebuild", *options, home=home, **settings)
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("options", [("--check",), ()])
def test_the_verb_says_that_all_is_the_same(options: tuple[str, ...], tmp_path: Path) -> None:
    books, _ = asked_books(tmp_path / "lake")
    with house(books) as url:
        code, said_, _ = rebuilt(url, *options, home=tmp_path)
        assert code == 0
        assert ("the same" if options else "made anew") in said_
        code, document, _ = rebuilt(url, *options, "--output", "json", home=tmp_path)
    found = json.loads(document)
    assert (code, found["rows_read"], found["is_check"]) == (0, 3, bool(options))
    assert found["runs"] == [{"name": "ranker", "revision": 3, "units": 3, "differs": []}]


def test_what_differs_is_named_and_ends_with_findings(tmp_path: Path) -> None:
    books, _ = asked_books(tmp_path / "lake")

    def spoil(accounts: object, _outcomes: object) -> None:
        rows: IntArray = accounts._table["requests in 10000000 us"]  # type: ignore[attr-defined]  # noqa: SLF001
        rows[1] += 1

    books.ask(next(one.asked for one in books._accounts.values()), spoil, 0)  # noqa: SLF001
    with house(books) as url:
        code, shown, _ = rebuilt(url, "--check", home=tmp_path)
        assert code == 1
        assert "differ: requests in 10000000 us" in shown
        assert rebuilt(url, home=tmp_path)[0] == 0
        assert rebuilt(url, "--check", home=tmp_path)[0] == 0, "it was made anew from the lake"


def test_a_lake_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    books, place = asked_books(tmp_path / "lake")
    for path in (place.folder / "exposures").iterdir():
        path.unlink()
    with house(books) as url:
        code, _, problem = rebuilt(url, home=tmp_path)
    assert code == 2
    assert "the lake: lacks bytes 0 to 3" in problem


def until_ended(client: httpx.Client) -> dict[str, Any]:
    for _ in range(600):
        state: dict[str, Any] = client.get("/v1/evidence/rebuild").json()
        if not state["is_running"]:
            return state
        time.sleep(0.05)
    raise AssertionError("it does not end")


def test_one_is_made_at_a_time_and_strangers_make_none(tmp_path: Path) -> None:
    books, _ = asked_books(tmp_path, Slow)
    with house(books) as url, httpx.Client(base_url=url) as client:
        assert client.post("/v1/evidence/rebuild").status_code == 401
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        assert client.get("/v1/evidence/rebuild").status_code == 404
        for _ in range(2):
            answer = client.post("/v1/evidence/rebuild", params={"check": "true"})
            assert (answer.status_code, answer.json()["is_running"]) == (202, True)
        assert client.post("/v1/evidence/rebuild").json()["is_check"], "the one under way goes on"
        Slow.may_answer.set()
        ended = until_ended(client)
        assert [one["differs"] for one in ended["runs"]] == [[]]
