"""The post of a control plane: who can be told, and the postman who tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from rollout.domain.assignment import Placement
from rollout.errors import WrongTraffic
from rollout.notify.couriers import Couriers
from rollout.notify.postman import Postman
from rollout.notify.receivers import Receivers, unknown_receivers
from rollout.ports import Notifier
from rollout.store.database import Database
from rollout.store.outbox import SqlOutbox
from rollout.wiring.parts import now_us, run

Refuse = Callable[[Sequence[Placement]], None]


def open_post(
    held: ExitStack, receivers: Receivers, public_url: str | None, database: Database, refuse: Refuse
) -> Refuse:
    """Send what is in the outbox until the stack ends; return what also refuses to tell strangers."""
    couriers = Couriers(receivers, public_url=public_url)
    postman = Postman(SqlOutbox(database, per_minute=couriers.per_minute), couriers, now_us=now_us)
    run(held, "postman", postman.run, postman.stop)
    return partial(_refuse_strangers, couriers, refuse)


def _refuse_strangers(notifier: Notifier, refuse: Refuse, placements: Sequence[Placement]) -> None:
    """Raise for what cannot be served, and for a new policy that tells somebody whom nobody knows."""
    refuse(placements)
    unknown = tuple(unknown_receivers(placements[-1].policy, notifier.names()))
    if unknown:
        raise WrongTraffic(*unknown)
