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
        if not _is_one_of(offered(request), known):
            raise unknown()
        origin = None if request.client is None else request.client.host
        request.state.caller = Caller(LOCAL, Role.ADMIN, origin=origin)

    return check


def application_of(tokens: Sequence[str], applications: Applications) -> Callable[[Request], str]:
    """Return a dependency that names the application whose token a caller bears, and answers 401 otherwise.

    Who bears one of the house's own tokens is the application "default".
    """
    known = _known(tokens)

    def check(request: Request) -> str:
        shown = offered(request)
        if _is_one_of(shown, known):
            return DEFAULT
        name = applications.bearing(shown)
        if name is None:
            raise unknown()
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


def offered(request: Request) -> bytes:
    """Return the token that a request shows; nothing where it shows none."""
    shown = request.headers.get("authorization", "")
    return shown.removeprefix(SCHEME).encode() if shown.startswith(SCHEME) else b""


def _is_one_of(shown: bytes, known: Sequence[bytes]) -> bool:
    # Every token is compared, each in constant time: how long it takes tells nothing.
    return sum(hmac.compare_digest(shown, token) for token in known) > 0


def unknown(why: str | None = None) -> HTTPException:
    """Return the answer to who shows no token that opens anything."""
    return HTTPException(
        status.HTTP_401_UNAUTHORIZED,
        f"{why or 'no known token'}: send 'Authorization: Bearer TOKEN'",
        {"WWW-Authenticate": "Bearer"},
    )
