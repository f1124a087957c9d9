"""Who may come in: whoever shows one of the tokens given at construction, or an application's own."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from fastapi import HTTPException, Request, status

from rollout.api.applications import DEFAULT, Applications
from rollout.domain.access import Caller, Role

SHORTEST_TOKEN = 16
LOCAL = "local"
"""The name of the house's own token."""
SCHEME = "Bearer "


def bearer(tokens: Sequence[str]) -> Callable[[Request], None]:
    """Return a dependency that lets in who bears one of the tokens, and answers 401 to everyone else."""
    known = _known(tokens)

    def check(request: Request) -> None:
        if not _is_one_of(_offered(request), known):
            raise _unknown()
        origin = None if request.client is None else request.client.host
        request.state.caller = Caller(LOCAL, Role.ADMIN, origin=origin)

    return check


def application_of(tokens: Sequence[str], applications: Applications) -> Callable[[Request], str]:
    """Return a dependency that names the application whose token a caller bears, and answers 401 otherwise.

    Who bears one of the house's own tokens is the application "default".
    """
    known = _known(tokens)

    def check(request: Request) -> str:
        offered = _offered(request)
        if _is_one_of(offered, known):
            return DEFAULT
        name = applications.bearing(offered)
        if name is None:
            raise _unknown()
        return name

    return check


def caller_of(request: Request) -> Caller:
    """Return whose token a request showed, once it was let in."""
    found = request.state.caller
    assert isinstance(found, Caller)  # noqa: S101 (ours: every route is behind a token)
    return found


def _known(tokens: Sequence[str]) -> list[bytes]:
    if not tokens or any(len(token) < SHORTEST_TOKEN for token in tokens):
        raise ValueError(f"tokens: at least one, each of at least {SHORTEST_TOKEN} characters")
    return [token.encode() for token in tokens]


def _offered(request: Request) -> bytes:
    shown = request.headers.get("authorization", "")
    return shown.removeprefix(SCHEME).encode() if shown.startswith(SCHEME) else b""


def _is_one_of(offered: bytes, known: Sequence[bytes]) -> bool:
    # Every token is compared, each in constant time: how long it takes tells nothing.
    return sum(hmac.compare_digest(offered, token) for token in known) > 0


def _unknown() -> HTTPException:
    return HTTPException(
        status.HTTP_401_UNAUTHORIZED,
        "no known token: send 'Authorization: Bearer TOKEN'",
        {"WWW-Authenticate": "Bearer"},
    )
