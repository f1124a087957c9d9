"""Nodes over HTTP: who waits is woken, who may not gets nothing, and bodies and waits have limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.intake import intake_router
from rollout.api.nodes import nodes_router
from rollout.client.nodes import LARGEST_STATE_BYTES, LossState, NodesAnswer, NodeState
from rollout.client.plane import Plane
from rollout.domain.assignment import Placement, Split
from rollout.errors import RequestRefused
from rollout.fleet.fleet import Fleet
from rollout.fleet.snapshot import read_snapshot
from tests.api.serving import TOKEN, serving
from tests.domain.examples import POLICY
from tests.intake.house import NOW_US, opened

KEY = "ab" * 32
FIRST = Placement(POLICY, 1, Split(1))


@dataclass
class Nodes:
    """A control plane of nodes."""

    fleet: Fleet
    url: str
    lost: list[tuple[str, tuple[LossState, ...]]] = field(default_factory=list)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Nodes]:
    with opening(tmp_path) as found:
        yield found


@contextmanager
def opening(folder: Path, *, token: str = TOKEN) -> Iterator[Nodes]:
    fleet = Fleet(marked=lambda: (), now_us=lambda: NOW_US, confirmed_within_s=0.0)
    found = Nodes(fleet, "")
    allowed = bearer([token])
    with opened(folder) as house:
        routers = [
            nodes_router(fleet, KEY, allowed, lost=lambda node, lost: found.lost.append((node, lost))),
            intake_router(house.intake, allowed, forget=fleet.forget),
        ]
        with serving(create_app(routers)) as found.url:
            try:
                yield found
            finally:
                fleet.close()


def client(plane: Nodes, token: str = TOKEN) -> httpx.Client:
    return httpx.Client(
        base_url=plane.url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30
    )


def test_who_waits_is_woken_by_a_change(plane: Nodes) -> None:
    plane.fleet.publish((FIRST,))
    asking = Plane(plane.url, TOKEN, node="n", wait_s=20.0)
    first = read_snapshot(asking.snapshot(None) or "")
    assert first.placements == (FIRST,)
    moved = replace(FIRST, split=Split(2))
    change = threading.Timer(0.2, lambda: plane.fleet.publish((moved,)))
    change.start()
    text = asking.snapshot(first.version)
    assert read_snapshot(text or "", first.known).placements == (moved,)
    change.join()
    asking.close_asking()
    asking.close()


def test_nothing_newer_is_no_content(plane: Nodes) -> None:
    with client(plane) as caller:
        query = {"node": "n", "wait_s": "0.01"}
        assert caller.get("/v1/snapshot", params=query).status_code == 204
        plane.fleet.publish((FIRST,))
        wanted = plane.fleet.wanted
        assert wanted is not None
        assert caller.get("/v1/snapshot", params=query | {"after": wanted.version}).status_code == 204


def test_a_closed_fleet_keeps_nobody(plane: Nodes) -> None:
    plane.fleet.publish((FIRST,))
    wanted = plane.fleet.wanted
    assert wanted is not None
    ending = threading.Timer(0.1, plane.fleet.close)
    ending.start()
    asking = Plane(plane.url, TOKEN, node="n", wait_s=25.0)
    assert asking.snapshot(wanted.version) is None
    ending.join()
    asking.close_asking()
    asking.close()


@pytest.mark.parametrize(
    "query",
    [
        {"node": "n", "wait_s": "31"},
        {"node": "n", "wait_s": "-1"},
        {"node": "n", "after": "x"},
        {"node": "n", "after": "ab" * 16},
        {"node": "../n"},
        {},
    ],
)
def test_what_cannot_be_asked_is_refused(plane: Nodes, query: dict[str, str]) -> None:
    with client(plane) as caller:
        assert caller.get("/v1/snapshot", params=query).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/snapshot?node=n"), ("GET", "/v1/unit-key"), ("PUT", "/v1/nodes/n"), ("GET", "/v1/nodes")],
)
def test_nobody_comes_in_without_the_token(plane: Nodes, method: str, path: str) -> None:
    with client(plane, "another token, as long") as caller:
        answer = caller.request(method, path, json={})
    assert answer.status_code == 401
    assert KEY not in answer.text
    stranger = Plane(plane.url, "another token, as long", node="n")
    with closing(stranger), pytest.raises(RequestRefused, match="token was refused"):
        stranger.unit_key()
    stranger.close_asking()


def test_a_node_tells_and_is_seen_and_signs_off(plane: Nodes) -> None:
    telling = Plane(plane.url, TOKEN, node="n")
    assert telling.unit_key() == bytes.fromhex(KEY)
    loss = LossState(experiment="x", revision=1, kind="exposures", rows=3, from_us=1, to_us=2)
    state = NodeState(envoy_starts=2, losses=(loss,))
    telling.tell(state)
    telling.tell(state)
    assert plane.lost == [("n", (loss,))]
    plane.fleet.publish((FIRST,))
    with client(plane) as caller:
        found = NodesAnswer.model_validate_json(caller.get("/v1/nodes").content)
        assert found.wanted == (plane.fleet.wanted and plane.fleet.wanted.version)
        (node,) = found.nodes
        assert (node.name, node.is_silent, node.is_live, node.state) == ("n", False, False, state)
        assert caller.delete("/v1/nodes/n").status_code == 204
        assert caller.delete("/v1/nodes/n").status_code == 404
        assert not NodesAnswer.model_validate_json(caller.get("/v1/nodes").content).nodes
    telling.close_asking()
    telling.close()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no JSON", 422),
        (b'{"envoy_starts": -1}', 422),
        (b'{"live": [{"experiment": "x"}]}', 422),
        (b" " * (LARGEST_STATE_BYTES + 1), 413),
        (b'{"said by": "a newer node"}', 204),
    ],
)
def test_what_is_no_state_is_refused(plane: Nodes, body: bytes, status: int) -> None:
    with client(plane) as caller:
        assert caller.put("/v1/nodes/n", content=body).status_code == status
    assert len(plane.fleet.nodes()) == (status == 204)


def test_the_key_is_never_kept_on_the_way(plane: Nodes) -> None:
    with client(plane) as caller:
        assert caller.get("/v1/unit-key").headers["cache-control"] == "no-store"
