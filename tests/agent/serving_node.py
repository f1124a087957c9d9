"""A real node over a real Envoy in this process, and a control plane for it to follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter

from rollout.agent.link import Link
from rollout.agent.names import Named, Names
from rollout.agent.spool import Spool
from rollout.agent.uplink import connect
from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.intake import intake_router
from rollout.api.nodes import nodes_router
from rollout.client.plane import Plane
from rollout.domain.assignment import Placement, Split
from rollout.envoy.bootstrap import Address
from rollout.fleet.fleet import Fleet
from rollout.lake.keeping import Keeping
from rollout.lake.units import UnitHash
from rollout.wiring.node import Node, NodePlace, joined, open_node
from rollout.wiring.parts import now_us
from tests.api.serving import TOKEN, serving
from tests.envoy.examples import free_port
from tests.envoy.upstream import serving as upstream
from tests.envoy.users import Request, send
from tests.intake.house import opened

KEY = "ab" * 32


@dataclass(frozen=True)
class Control:
    """A control plane of nodes."""

    fleet: Fleet
    url: str

    def is_told(self) -> bool:
        """Return whether every known node has said how it stands, and there is one."""
        states = [seen.state for seen, _, _ in self.fleet.nodes()]
        return bool(states) and None not in states


@contextmanager
def control(folder: Path, *more: APIRouter, waits_s: float = 10.0) -> Iterator[Control]:
    """Serve a fleet and an intake; routers that come first win."""
    with opened(folder, now_us=now_us) as house:
        fleet = Fleet(
            marked=lambda: {mark.node for mark in house.counts.nodes()},
            now_us=now_us,
            confirmed_within_s=waits_s,
        )
        allowed = bearer([TOKEN])
        own = [
            nodes_router(fleet, KEY, allowed, lost=lambda _node, _lost: None),
            intake_router(house.intake, allowed, forget=fleet.forget),
        ]
        with serving(create_app([*more, *own])) as url:
            try:
                yield Control(fleet, url)
            finally:
                fleet.close()


@contextmanager
def node(
    folder: Path,
    url: str,
    *,
    name: str = "n",
    token: str = TOKEN,
    signs_off: bool = False,
) -> Iterator[tuple[Node, Link, int]]:
    """Run a node that follows a control plane, there or not."""
    chosen = free_port()
    place = NodePlace(name, folder, Address(chosen))
    with ExitStack() as held:
        spool = Spool(place.outcomes_file)
        held.callback(spool.close)
        client = held.enter_context(connect(url, token))
        hashing = UnitHash(bytes.fromhex(KEY))
        running = held.enter_context(
            open_node(
                place,
                hashing=hashing,
                spool=spool,
                intake=client,
                signs_off=signs_off,
                keeping=Keeping(),
                names=Names(Named(), place.envoy),
            )
        )
        link = held.enter_context(joined(running, Plane(url, token, node=name, wait_s=2.0)))
        yield running, link, chosen


@contextmanager
def models() -> Iterator[tuple[str, str]]:
    """Serve a baseline and a candidate."""
    with upstream("baseline") as baseline, upstream("candidate") as candidate:
        yield baseline.url, candidate.url


def answered_by(port: int, placement: Placement, units: int = 60) -> dict[str, int]:
    """Return who answered how many of some users."""
    policy = placement.policy
    asked = [Request(policy.path, {policy.unit_header: f"user-{number}"}) for number in range(units)]
    found: dict[str, int] = {}
    for answer in send(port, asked):
        assert answer.code == 200
        found[answer.seen["name"]] = found.get(answer.seen["name"], 0) + 1
    return found


def at(placement: Placement, steps_on: int) -> Placement:
    return Placement(placement.policy, placement.revision, Split(steps_on))
