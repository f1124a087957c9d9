"""`rollout control`: a control plane by itself, that leads, or stands by while another one leads."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from rollout.cli.invocation import ControlAsked
from rollout.controller.reconcile import pass_by
from rollout.domain.assignment import Placement
from rollout.envoy.bootstrap import Address
from rollout.envoy.translate import refuse_impossible
from rollout.errors import WrongTraffic
from rollout.prometheus.server import Server, unset_address
from rollout.store.database import Database
from rollout.store.leadership import Leadership
from rollout.wiring.candidates import Alone
from rollout.wiring.control import Control, Given, Place, open_control
from rollout.wiring.leading import Candidate


@contextmanager
def open_lone_control(asked: ControlAsked) -> Iterator[Control]:
    """Run a control plane until the block ends, as it was asked for."""
    for folder in (asked.folder, asked.folder / "jobs", asked.lake):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = Place(asked.folder, asked.lake, Address(asked.port, asked.host), asked.url, asked.terms.tls)
    refuse = partial(_refuse_unservable, asked.terms.metrics)
    with ExitStack() as held:
        database = Database.writer(asked.database)
        held.callback(database.close)
        given = Given(asked.patience, asked.terms, pass_by, refuse)
        candidate = _candidate(database, asked.url)
        yield held.enter_context(open_control(place, candidate, given, option="--port"))


def _candidate(database: Database, url: str) -> Candidate:
    """Return how this process comes to lead; its name is its own, even after a start in its place."""
    if database.is_writer:
        return Alone(database)
    holder = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
    # The time of day: the first term of a restored or new database is above every one that nodes have heard.
    return Leadership(database, holder=holder, address=url, floor=lambda: int(time.time()))


def _refuse_unservable(metrics: Server | None, placements: Sequence[Placement]) -> None:
    """Raise for what no proxy can do; what names in policies mean is each proxy's own, which says so."""
    refuse_impossible(placements)
    if unset := tuple(unset_address(placements[-1].policy, metrics)):
        raise WrongTraffic(*unset)
