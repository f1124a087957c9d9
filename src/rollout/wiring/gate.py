"""The gate of a control plane over its database, with the tokens that it draws for itself."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rollout.api.access import LOCAL
from rollout.api.applications import Applications
from rollout.api.gate import Gate
from rollout.api.tokens import LOCAL_NODE, draw_secret, own_token
from rollout.domain.access import Role
from rollout.store.access import SqlTokens
from rollout.wiring.parts import now_us, run


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a control plane draws, once or at every start."""

    token: str = field(repr=False)
    """Of an admin; it stands in a file that its owner alone may read."""
    unit_key: str = field(repr=False)
    node_token: str = field(repr=False, default_factory=draw_secret)
    """Of the node in the same process; it stands in no file."""


def open_gate(
    held: ExitStack, tokens: SqlTokens, own: Secrets, applications: Path | None, *, open_metrics: bool
) -> Gate:
    """Return a gate that lets in who bears one of the tokens; it is kept fresh until the stack ends."""
    tokens.keep(own_token(LOCAL, own.token, Role.ADMIN, now_us()))
    tokens.keep(own_token(LOCAL_NODE, own.node_token, Role.NODE, now_us()))
    gate = Gate(tokens, now_us=now_us, applications=Applications(applications), open_metrics=open_metrics)
    ending = threading.Event()
    run(held, "gate", partial(gate.keep_fresh, ending), ending.set)
    return gate
