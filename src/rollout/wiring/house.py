"""A whole house in one process, on one machine: a control plane, and one node that follows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from rollout.agent.names import Names
from rollout.agent.spool import Spool
from rollout.agent.terms import Terms
from rollout.agent.uplink import connect
from rollout.client.plane import Plane
from rollout.controller.reconcile import Passing, pass_by
from rollout.domain.assignment import Placement
from rollout.domain.experiment import ENDED
from rollout.domain.judge import Patience
from rollout.envoy.bootstrap import Address
from rollout.envoy.translate import refuse_impossible
from rollout.envoy.upstreams import unknown_names
from rollout.errors import WrongTraffic
from rollout.lake.units import UnitHash
from rollout.policyfile.digest import digest
from rollout.prometheus.server import Server, unset_address
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from rollout.wiring.candidates import Alone
from rollout.wiring.control import Given, Own, Place, new_uid, open_control
from rollout.wiring.node import Node, NodePlace, joined, open_node
from rollout.wiring.parts import keep_private

NODE: Final = "local"


@dataclass(frozen=True, slots=True)
class House:
    """A house that runs."""

    node: Node
    going_on: tuple[str, ...]
    """What had begun before and is not over, with where it stands."""

    def drain(self) -> None:
        """Ask clients to leave as they come; for five seconds nobody is refused."""
        self.node.drain()

    def is_left(self) -> bool:
        """Return whether no client is connected any more."""
        return self.node.is_left()


@contextmanager
def open_house(  # noqa: PLR0913 (each is one thing that a house is given)
    folder: Path,
    *,
    proxy_port: int,
    control_port: int,
    patience: Patience,
    passing: Passing = pass_by,
    terms: Terms | None = None,
) -> Iterator[House]:
    """Run proxy, recorders, intake, API and controller in this process until the block ends."""
    terms = terms or Terms()
    place = Place(folder, folder / "lake", Address(control_port), tls=terms.tls)
    node_place = NodePlace(NODE, folder, Address(proxy_port))
    keep_private(folder)
    names = Names(terms.named, node_place.envoy)
    with ExitStack() as held:
        database = Database.writer(folder / "control.db")  # first of all: a second house is refused
        held.callback(database.close)
        going_on = _going_on(database)
        spool = Spool(node_place.outcomes_file)
        held.callback(spool.close)
        refuse = partial(refuse_unservable, names, terms.metrics)
        given = Given(patience, terms, passing, refuse, Own(NODE, spool))
        control = held.enter_context(open_control(place, Alone(database), given, option="--control-port"))
        client = held.enter_context(connect(place.own_addresses, control.node_token))
        plane = Plane(place.own_addresses, control.node_token, node=NODE)
        node = held.enter_context(
            open_node(
                node_place,
                hashing=UnitHash(plane.unit_key()),
                spool=spool,
                intake=client,
                signs_off=False,
                keeping=terms.keeping,
                names=names,
            )
        )
        held.enter_context(joined(node, plane))
        yield House(node, going_on)


def _going_on(database: Database) -> tuple[str, ...]:
    """Return the runs that are not over, as they stand; what cannot be read is named by the log."""
    ledger = SqlLedger(database, new_uid=new_uid, digest=digest)
    runs = (run.experiment for run in ledger.runs())
    return tuple(f"{one.policy.name} ({one.phase.value})" for one in runs if one.phase not in ENDED)


def refuse_unservable(names: Names, metrics: Server | None, placements: Sequence[Placement]) -> None:
    """Raise for what no proxy can do, and for a new policy that needs what this machine does not know."""
    refuse_impossible(placements)
    policy = placements[-1].policy
    unknown = (*unknown_names(policy, names.upstreams), *unset_address(policy, metrics))
    if unknown:
        raise WrongTraffic(*unknown)
