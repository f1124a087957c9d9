"""Idempotency keys: a write is done once whoever repeats it, after a restart too; what differs is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from rollout.api.problems import Refusal
from rollout.api.repeats import Done, Repeats
from rollout.client.answers import Answer
from rollout.store.database import Database
from rollout.store.kept_answers import KEPT_US, UNDER_WAY_US, Asked, SqlKeptAnswers
from tests.api.whole import Whole, whole

PAUSE = "/v1/experiments/churn-v2/pause"
ASKED = Asked("local", "key-1", "digest")


class Made(Answer):
    """What a write came to."""

    number: int


@pytest.fixture(name="there")
def _there(tmp_path: Path) -> Iterator[Whole]:
    with whole(tmp_path) as served:
        yield served


@pytest.fixture(name="kept")
def _kept(tmp_path: Path) -> Iterator[SqlKeptAnswers]:
    database = Database.writer(tmp_path / "kept.db")
    yield SqlKeptAnswers(database)
    database.close()


def client(there: Whole, role: str = "admin", key: str = "one") -> httpx.Client:
    headers = {"authorization": f"Bearer {there.secrets[role]}", "idempotency-key": key}
    return httpx.Client(base_url=there.url, trust_env=False, headers=headers)


def test_the_first_answer_is_given_again(there: Whole) -> None:
    with client(there) as http:
        first = http.post(PAUSE, json={"why": "lunch"})
        again = http.post(PAUSE, json={"why": "lunch"})
        unlike = http.post(PAUSE, json={"why": "dinner"})
        elsewhere = http.post(PAUSE.replace("pause", "rollback"), json={"why": "lunch"})
    assert (first.status_code, again.status_code, again.text) == (202, 202, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert (unlike.status_code, elsewhere.status_code) == (422, 422)
    assert "draw a new key" in unlike.text
    with client(there, "operator") as other:
        assert other.post(PAUSE, json={"why": "dinner"}).status_code == 200, "a key is its caller's own"


def test_a_secret_is_in_the_first_answer_only(there: Whole) -> None:
    wanted = {"name": "ci", "role": "viewer"}
    with client(there) as http:
        first, again = (http.post("/v1/tokens", json=wanted) for _ in range(2))
    assert first.json()["secret"]
    assert (again.status_code, again.json()["secret"]) == (201, None)
    assert again.json()["token"] == first.json()["token"]


def test_a_key_that_is_none_is_refused(there: Whole) -> None:
    for key in ("", "with a blank", "k" * 256):
        with client(there, key=key) as http:
            assert http.post(PAUSE, json={"why": "lunch"}).status_code == 422


def test_many_at_once_are_done_once_and_answered_alike_or_told_to_wait(kept: SqlKeptAnswers) -> None:
    done: list[int] = []
    repeats, may_end = Repeats(kept, lambda: 1), threading.Event()

    def work() -> Done:
        may_end.wait(30)
        done.append(1)
        return Done(Made(number=len(done)))

    def ask(_: int) -> int:
        try:
            return repeats.once(ASKED, work).status_code
        except Refusal as refusal:
            may_end.set()
            return refusal.status

    with ThreadPoolExecutor(4) as threads:
        codes = sorted(threads.map(ask, range(4)))
    assert done == [1]
    assert codes[0] == 200
    assert set(codes) <= {200, 409}
    assert repeats.once(ASKED, work).body == b'{"number":1}'


def test_it_outlasts_a_restart_and_ends_after_a_day(tmp_path: Path) -> None:
    now_us, done = 1, 0

    def work() -> Done:
        nonlocal done
        done += 1
        return Done(Made(number=done), HTTPStatus.CREATED, {"etag": '"x"'})

    for _ in range(2):
        database = Database.writer(tmp_path / "kept.db")
        answered = Repeats(SqlKeptAnswers(database), lambda: now_us).once(ASKED, work)
        assert (answered.status_code, answered.body, answered.headers["etag"]) == (
            201,
            b'{"number":1}',
            '"x"',
        )
        database.close()
    now_us += KEPT_US + 1
    database = Database.writer(tmp_path / "kept.db")
    assert Repeats(SqlKeptAnswers(database), lambda: now_us).once(ASKED, work).body == b'{"number":2}'
    database.close()


def test_what_was_cut_off_is_done_anew_after_a_while_and_what_failed_at_once(kept: SqlKeptAnswers) -> None:
    assert kept.begin(ASKED, 1) is None
    known = kept.begin(ASKED, 2)
    assert known is not None
    assert known.status is None
    assert kept.begin(ASKED, 2 + UNDER_WAY_US) is None
    kept.forget(ASKED)

    def fail() -> Done:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        Repeats(kept, lambda: 3).once(ASKED, fail)
    assert kept.begin(ASKED, 3) is None


def test_only_so_many_answers_are_kept(kept: SqlKeptAnswers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollout.store.kept_answers.MOST", 3)
    keys = [Asked("local", f"key-{number}", "digest") for number in range(5)]
    for at_us, asked in enumerate(keys, start=1):
        assert kept.begin(asked, at_us) is None
        kept.end(asked, 200, "{}", "{}")
    known = [kept.begin(asked, 9) is not None for asked in reversed(keys)]
    assert known[:3] == [True, True, True]
    assert known[3] is False
