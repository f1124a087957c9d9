"""Who calls the control plane, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What the bearer of a token may do; each token has one."""

    VIEWER = "viewer"
    """Read everything but secrets."""
    OPERATOR = "operator"
    """Start, pause, resume, advance, roll back, stop and retire."""
    APPROVER = "approver"
    """Approve in the name of the token's groups, and read."""
    ADMIN = "admin"
    """Everything, tokens and overrides included."""
    NODE = "node"
    """What a proxy needs: its snapshot, its state, its records."""
    APP = "app"
    """Report outcomes, and nothing else."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token was shown, and from where."""

    name: str
    role: Role
    groups: frozenset[str] = frozenset()
    """In whose name an approver may approve."""
    origin: str | None = None
    """The address that the request came from, where there is one."""
