"""`rollout proxy`: a node by itself, that follows a control plane, or files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx
from fastapi import APIRouter

from rollout import logs
from rollout.agent.alone import Alone, Files, read_whole
from rollout.agent.names import Names
from rollout.agent.private import write_private
from rollout.agent.spool import Spool
from rollout.agent.uplink import connect
from rollout.api.access import SHORTEST_TOKEN, application_of, bearer
from rollout.api.allowance import Allowance
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.intake import intake_router
from rollout.api.outcomes import Door, outcomes_router
from rollout.api.readiness import readiness_router
from rollout.api.told import Remembered, Wanted, wanted
from rollout.cli.invocation import ProxyAsked
from rollout.client.addresses import Addresses, Trust
from rollout.client.plane import Plane
from rollout.envoy.bootstrap import Address
from rollout.errors import ControlPlaneFailed, Problem, ProxyFailed, RolloutError, WrongSettings
from rollout.intake.intake import Intake
from rollout.lake.compact import Compactor
from rollout.lake.expiry import Retention
from rollout.lake.units import UnitHash
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.wiring.node import Node, NodePlace, joined, open_node
from rollout.wiring.parts import keep_private, now_us, run, secret, serve, token_in

LOOPBACK: Final = "127.0.0.1"
_log = logs.get("node")


@dataclass(slots=True)
class _Later:
    """The node, for those parts that must be there before it is."""

    node: Node | None = None

    def check(self) -> Sequence[Problem]:
        """Raise unless requests are served as somebody wanted; return what is not."""
        node = self.node
        if node is None or node.applier.newest is None:
            raise ProxyFailed(Problem("the node", "nobody has said yet what to serve", "see its log"))
        if not node.proxy.is_ready:
            raise ProxyFailed(Problem("Envoy", "it does not accept requests now", "see envoy.log"))
        refused = node.state().refused
        return [Problem(one.experiment or "the node", one.reason, "see its log") for one in refused]

    def wanted(self) -> Wanted:
        """Return the outcomes that some served policy asks for."""
        return wanted(()) if self.node is None else self.node.wanted()


@contextmanager
def open_proxy(asked: ProxyAsked) -> Iterator[Node]:
    """Run a node until the block ends, as it was asked for."""
    keep_private(asked.folder)
    opened = _joined(asked) if asked.files is None else _alone(asked, asked.files)
    with opened as node:
        yield node


@contextmanager
def _joined(asked: ProxyAsked) -> Iterator[Node]:
    """Follow a control plane, with what it said last while it cannot be reached."""
    addresses, token = Addresses.of(asked.control_url, asked.terms.trust), asked.token or ""
    if len(token) < SHORTEST_TOKEN:
        what, remedy = "a node needs the control plane's token", "name its file with --token-file"
        raise WrongSettings(Problem("rollout proxy", what, remedy))
    # One for all: whoever notices first that another one leads tells the others by moving on.
    plane = Plane(addresses, token, node=asked.name)
    hashing = UnitHash(_unit_key(plane, asked.folder / "unit.key"))
    place = _place(asked)
    later = _Later()
    with ExitStack() as held:
        spool = Spool(place.outcomes_file)
        held.callback(spool.close)
        _open_door(held, asked, hashing, spool, later, token=token, routers=[])
        client = held.enter_context(connect(addresses, token))
        node = held.enter_context(_open(asked, hashing, spool, client, signs_off=True))
        held.enter_context(joined(node, plane))
        later.node = node
        yield node


@contextmanager
def _alone(asked: ProxyAsked, files: Files) -> Iterator[Node]:
    """Follow files; records go to a lake in the same folder, through an intake of its own."""
    read_whole(files, needs_weights=False)  # before anything is started for them
    token = token_in(asked.folder / "token")
    hashing = UnitHash(bytes.fromhex(secret(asked.folder / "unit.key")))
    place = _place(asked)
    later, lake = _Later(), asked.folder / "lake"
    with ExitStack() as held:
        database = Database.writer(asked.folder / "control.db")
        held.callback(database.close)
        counts = Counts(database, rows=asked.terms.keeping.counted_rows)
        intake = Intake(lake, counts, now_us=now_us)
        spool = Spool(place.outcomes_file)
        held.callback(spool.close)
        own = intake_router(intake, bearer([token]))
        _open_door(held, asked, hashing, spool, later, token=token, routers=[own])
        host = LOOPBACK if asked.host in {"0.0.0.0", "::"} else asked.host  # noqa: S104 (compared only)
        shown = f"[{host}]" if ":" in host else host
        client = held.enter_context(connect(_own_door(asked, shown), token))
        node = held.enter_context(_open(asked, hashing, spool, client, signs_off=False))
        follower = Alone(files, node.applier, place.own / "revisions.json")
        follower.begin()
        later.node = node
        ending = threading.Event()
        # No experiment runs here: nothing but age decides.
        retention = Retention(asked.terms.keeping, lambda: None)
        compactor = Compactor(lake, counts.cursors, now_s=time.time, retention=retention)
        run(held, "compactor", partial(compactor.run, ending), ending.set)
        run(held, "files", partial(follower.run, ending), ending.set)
        yield node


def _open(
    asked: ProxyAsked, hashing: UnitHash, spool: Spool, intake: httpx.Client, *, signs_off: bool
) -> AbstractContextManager[Node]:
    """Open the node that was asked for."""
    place, terms = _place(asked), asked.terms
    return open_node(
        place,
        hashing=hashing,
        spool=spool,
        intake=intake,
        signs_off=signs_off,
        keeping=terms.keeping,
        names=Names(terms.named, place.envoy),
    )


def _place(asked: ProxyAsked) -> NodePlace:
    return NodePlace(asked.name, asked.folder, Address(asked.port, asked.host))


def _open_door(  # noqa: PLR0913 (one for each part)
    held: ExitStack,
    asked: ProxyAsked,
    hashing: UnitHash,
    spool: Spool,
    later: _Later,
    *,
    token: str,
    routers: list[APIRouter],
) -> None:
    """Serve `/healthz`, `/readyz` and the door for outcomes."""
    reporting = asked.terms.reporting
    allowance = Allowance(reporting.per_s, reporting.burst, now_s=time.monotonic)
    door = Door(hashing, spool, Remembered(later.wanted, now_s=time.monotonic), now_us, allowance)
    known = application_of([token], Applications(reporting.tokens_file))
    mine = [outcomes_router(door, known), readiness_router(later.check)]
    address = Address(asked.agent_port, asked.host)
    serve(held, address, create_app([*mine, *routers]), option="--agent-port", tls=asked.terms.tls)


def _own_door(asked: ProxyAsked, host: str) -> Addresses:
    """Return the address of the node's own door: the certificate that is served there is known."""
    tls = asked.terms.tls
    scheme, trust = ("http", None) if tls is None else ("https", Trust(tls.certificate_file, is_own=True))
    return Addresses([f"{scheme}://{host}:{asked.agent_port}"], trust)


def _unit_key(plane: Plane, file: Path) -> bytes:
    """Return the cluster's key for unit ids: asked for, and kept for a start without the control plane."""
    held = file.read_text(encoding="ascii").strip() if file.exists() else None
    try:
        key = plane.unit_key()
    except RolloutError as error:
        if held is None:
            first = error.problems[0]
            raise ControlPlaneFailed(
                Problem(first.where, first.what, f"{first.remedy}; a node's first start needs it")
            ) from None
        _log.warning("the control plane is not heard; what is served stays", problem=str(error))
        return bytes.fromhex(held)
    if held != key.hex():
        if held is not None:
            _log.warning("the control plane has another key for unit ids: records are hashed with it now")
        write_private(file, key.hex() + "\n")
    return key
