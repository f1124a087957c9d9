"""What two policies are to each other while both run: whose users they share, and whether they can."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.domain.layers import share_layer
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.written import weight


def beside(one: Policy, other: Policy) -> tuple[str, ...]:
    """Return, in sentences, what keeps two policies from running together, or what becomes of their users."""
    obstacles = tuple(_obstacles(one, other))
    return obstacles or (_users(one, other),)


def _obstacles(one: Policy, other: Policy) -> Iterator[str]:
    if (one.host, one.path) == (other.host, other.path):
        yield f"both have the route {one.host or ''}{one.path}: only one of them can run at a time"
    if share_layer(one, other):
        asked = sum(policy.layer.share_bp for policy in (one, other) if policy.layer is not None)
        if asked > WHOLE_BP:
            yield f"together they ask for {weight(asked)} of their layer: only one of them can run at a time"
    elif one.salt == other.salt:
        yield f"both have the salt {one.salt}: who gets one candidate would get the other, so it is refused"


def _users(one: Policy, other: Policy) -> str:
    if share_layer(one, other):
        return "both can run at a time: their layer keeps them apart, so no user is in both"
    return "both can run at a time: a user may be in both, and neither draw tells anything of the other"
