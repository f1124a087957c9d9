"""Who calls the control plane, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECRET_PREFIX: Final = "rollout_"  # noqa: S105 (no secret)
"""How the secret of every token begins, so that one that leaked is found by its shape."""


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


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: of its secret only the digest is known; times are microseconds."""

    name: str
    """Never used twice: the audit names tokens."""
    digest: str
    """SHA-256 in hexadecimal. The secret is 256 random bits: no list of likely ones can be tried, so that a
    slow hash would add nothing but work for every request."""
    role: Role
    created_us: int
    groups: frozenset[str] = frozenset()
    created_by: str = ""
    expires_us: int | None = None
    revoked_us: int | None = None
    used_us: int | None = None
    """About when it was last shown, to the hour."""

    def ended(self, now_us: int) -> str | None:
        """Return why it opens nothing any more, or None while it does."""
        if self.revoked_us is not None:
            return "was revoked"
        return "has expired" if self.expires_us is not None and self.expires_us <= now_us else None
