"""One control plane at several addresses: who leads is found, stayed with, and left when it does no more."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from rollout.agent.uplink import connect
from rollout.client.addresses import Addresses, Following
from rollout.client.answers import ExperimentsAnswer
from rollout.client.connection import Connection, Request
from rollout.client.plane import SHORT_WAIT_S, WAIT_S, Plane
from rollout.errors import ControlPlaneFailed
from tests.client.strange import nobody, reply, strange

STANDBY = reply("503 Service Unavailable", "{}", content_type="application/problem+json")
FINE = reply("200 OK", '{"experiments": []}', content_type="application/json")
A, B, C = "http://a:1", "http://b:2/below", "http://c:3"


class Plain:
    """Answers each address as it is told to, and notes what it was asked."""

    def __init__(self, **answers: int | Exception) -> None:
        self.answers, self.asked = answers, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url} {request.content.decode()}".strip())
        answer = self.answers[request.url.host]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json={"host": request.headers["host"]})


def following(answer: Callable[[httpx.Request], httpx.Response], *urls: str) -> httpx.Client:
    return httpx.Client(
        transport=Following(Addresses(urls), httpx.MockTransport(answer)), base_url="http://control"
    )


@pytest.mark.parametrize("text", [f"{A},{C}", f"{A} {C}", f" {A}/ ,\n{C},{A} "])
def test_a_setting_holds_several(text: str) -> None:
    assert Addresses.of(text).urls == (A, C)
    assert str(Addresses.of(text)) == f"{A} or {C}"


def test_there_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Addresses([])
    assert Addresses.of("").urls == ("",)


def test_two_who_see_the_same_failure_move_on_once() -> None:
    addresses = Addresses([A, B, C])
    addresses.move_on(A)
    addresses.move_on(A)
    assert addresses.current == B


def test_who_leads_is_found_in_one_call_and_stayed_with() -> None:
    plain = Plain(a=httpx.ConnectError("refused"), b=503, c=200)
    with following(plain, A, B, C) as client:
        answer = client.post("/v1/x", params={"y": 1}, content=b"told")
        assert answer.json() == {"host": "c:3"}
        client.get("/v1/x")
    places = ["http://a:1/v1/x?y=1", "http://b:2/below/v1/x?y=1", "http://c:3/v1/x?y=1"]
    assert plain.asked == [*(f"POST {place} told" for place in places), "GET http://c:3/v1/x"]


def test_everybody_is_asked_once_by_one_call() -> None:
    plain = Plain(a=503, b=502)
    with following(plain, A, B) as client:
        assert client.get("/v1/x").status_code == 502
        assert len(plain.asked) == 2
        plain.answers |= {"a": httpx.ConnectError("refused"), "b": httpx.ConnectError("refused")}
        with pytest.raises(httpx.ConnectError):
            client.get("/v1/x")
    assert len(plain.asked) == 4


@pytest.mark.parametrize("status", [200, 204, 400, 401, 409, 422, 429, 500])
def test_any_other_answer_is_the_leader_s(status: int) -> None:
    plain = Plain(a=status, b=200)
    with following(plain, A, B) as client:
        assert client.get("/v1/x").status_code == status
    assert len(plain.asked) == 1


def test_who_hangs_is_left_by_the_next_call() -> None:
    plain = Plain(a=httpx.ReadTimeout("hangs"), b=200)
    with following(plain, A, B) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get("/v1/x")
        assert plain.asked == ["GET http://a:1/v1/x"]
        assert client.get("/v1/x").status_code == 200


def test_a_person_a_node_and_its_records_find_who_leads() -> None:
    key = reply("200 OK", json.dumps({"key": "ab" * 16}), content_type="application/json")
    filed = reply("200 OK", '{"cursor": 7}', content_type="application/json")
    with nobody() as dead, strange([STANDBY]) as (standby, asked), strange([FINE, key, filed]) as (leader, _):
        connection = Connection(f"{dead},{standby},{leader}")
        assert connection.ask(Request("GET", "/v1/experiments"), ExperimentsAnswer).experiments == ()
        connection.close()
        addresses = Addresses([dead, leader])
        plane = Plane(addresses, "token", node="n")
        assert plane.unit_key() == bytes.fromhex("ab" * 16)
        assert addresses.current == leader
        with connect(addresses, "token") as client:
            assert client.post("/v1/segments", content=b"rows").json() == {"cursor": 7}
        plane.close()
        plane.close_asking()
    assert len(asked) == 1


def test_nobody_anywhere_is_worded_with_every_address() -> None:
    with nobody() as one, nobody() as other:
        connection = Connection(f"{one},{other}", sleep=lambda _: None)
        with pytest.raises(ControlPlaneFailed, match=f"{one} or {other}: cannot connect"):
            connection.send(Request("GET", "/v1/experiments"))
        connection.close()


def test_one_wrong_address_of_several_is_named() -> None:
    with pytest.raises(ControlPlaneFailed, match="nonsense: not an address"):
        Connection(f"{A},nonsense")


def test_nobody_waits_long_at_one_of_several() -> None:
    def waits(url: str) -> float:
        plane = Plane(url, "token", node="n")
        plane.close_asking()
        plane.close()
        return plane.wait_s

    assert waits(A) == WAIT_S
    assert waits(f"{A},{C}") == SHORT_WAIT_S
