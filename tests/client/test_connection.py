"""What can go wrong between two programs: nobody there, slow, broken, or something else altogether."""

from __future__ import annotations

import json

import pytest

from rollout.client.answers import PROBLEM, ExperimentsAnswer
from rollout.client.connection import FIRST_PAUSE_S, LONGEST_PAUSE_S, TRIES, Connection, Request, is_loopback
from rollout.errors import ControlPlaneFailed, RequestRefused, RolloutError
from tests.client.strange import nobody, reply, strange

ASK = Request("GET", "/v1/experiments")
FINE = reply("200 OK", '{"experiments": [], "of a newer version": 1}', content_type="application/json")
BUSY = reply("503 Service Unavailable", "", content_type="text/plain")


class Sleeper:
    """Notes how long it should have slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def ask(url: str, sleeper: Sleeper, timeout_s: float = 5.0) -> ExperimentsAnswer:
    connection = Connection(url, token="t", timeout_s=timeout_s, sleep=sleeper)  # noqa: S106 (opens nothing)
    try:
        return connection.ask(ASK, ExperimentsAnswer)
    finally:
        connection.close()


def complaint(url: str, timeout_s: float = 5.0) -> str:
    with pytest.raises(ControlPlaneFailed) as caught:
        ask(url, Sleeper(), timeout_s)
    return str(caught.value)


def test_nobody_there_is_asked_three_times_and_worded() -> None:
    sleeper = Sleeper()
    with nobody() as url, pytest.raises(ControlPlaneFailed) as caught:
        ask(url, sleeper)
    assert sleeper.slept == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S]
    assert str(caught.value) == (
        f"{url}: cannot connect (connection refused); "
        "is `rollout up` running? ROLLOUT_CONTROL_URL names another address"
    )


def test_an_unknown_host_is_worded() -> None:
    assert "cannot connect" in complaint("http://no-such-host.invalid:1")


def test_a_server_that_comes_back_is_asked_again() -> None:
    sleeper = Sleeper()
    with strange([BUSY, b"", FINE]) as (url, asked):
        assert ask(url, sleeper).experiments == ()
    assert len(asked) == 3
    assert sleeper.slept == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S]


def test_a_wished_pause_is_kept_within_reason() -> None:
    sleeper = Sleeper()
    with strange(
        [reply("429 Too Many Requests", retry_after="2"), reply("503 Busy", retry_after="9000"), FINE]
    ) as (
        url,
        _,
    ):
        ask(url, sleeper)
    assert sleeper.slept == [2.0, LONGEST_PAUSE_S]


def test_patience_ends() -> None:
    with strange([BUSY] * TRIES) as (url, asked):
        assert "was answered with 503 and text/plain, not as agreed" in complaint(url)
    assert len(asked) == TRIES


def test_a_silent_server_costs_one_timeout() -> None:
    with strange([None]) as (url, asked):
        assert complaint(url, 0.2) == (
            f"{url}: no answer within 0.2 s; try again, or allow more: ROLLOUT_CONTROL_TIMEOUT_S"
        )
    assert len(asked) == 1


def test_a_broken_connection_is_worded() -> None:
    with strange([b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal"]) as (url, _):
        assert "the connection broke" in complaint(url)


@pytest.mark.parametrize(
    "answer",
    [
        reply("200 OK", "<html>", content_type="text/html"),
        reply("200 OK", '{"experiments": 1}', content_type="application/json"),
        reply("404 Not Found", "nothing here", content_type="text/plain"),
        reply("302 Found", "", location="http://example.invalid/"),
        reply("409 Conflict", "not json", content_type=PROBLEM),
    ],
)
def test_another_server_is_not_believed(answer: bytes) -> None:
    with strange([answer]) as (url, asked):
        assert "not as agreed; check that ROLLOUT_CONTROL_URL names a control plane" in complaint(url)
    assert len(asked) == 1


def test_problems_are_worded_and_cannot_act_on_a_terminal() -> None:
    body = {"title": "x", "status": 409, "detail": "d"}
    problems = [
        {"where": "a\x1b[31m", "what": "b", "remedy": "c"},
        {"where": "d", "what": "e", "remedy": "f"},
    ]
    answer = reply("409 Conflict", json.dumps(body | {"problems": problems}), content_type=PROBLEM)
    with strange([answer]) as (url, _), pytest.raises(RequestRefused) as caught:
        ask(url, Sleeper())
    assert str(caught.value) == "a\\x1b[31m: b; c\nd: e; f"


def test_a_problem_without_parts_is_its_sentence() -> None:
    body = json.dumps({"title": "x", "status": 500, "detail": "It broke."})
    with strange([reply("500 Internal Server Error", body, content_type=PROBLEM)]) as (url, _):
        assert complaint(url).startswith("/v1/experiments: it broke; ")


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "ftp://host", "http://", "http://host:99999", "http://[::1"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ControlPlaneFailed, match="not an address; write ROLLOUT_CONTROL_URL as"):
        Connection(url)


def test_a_token_that_no_header_can_carry() -> None:
    with pytest.raises(RolloutError, match="the token holds a sign"):
        Connection("http://127.0.0.1:1", token="träge")  # noqa: S106 (opens nothing)


def test_the_token_is_sent_and_redirects_are_not_followed() -> None:
    with strange([FINE]) as (url, asked):
        ask(url, Sleeper())
    assert b"authorization: Bearer t\r\n" in asked[0].lower().replace(b"bearer", b"Bearer")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("http://10.1", False),
    ],
)
def test_what_is_on_this_machine(url: str, *, expected: bool) -> None:
    assert is_loopback(url) == expected
