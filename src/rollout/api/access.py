"""Who may come in: whoever shows one of the tokens given at construction."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from fastapi import HTTPException, Request, status

SHORTEST_TOKEN = 16
SCHEME = "Bearer "


def bearer(tokens: Sequence[str]) -> Callable[[Request], None]:
    """Return a dependency that lets in who bears one of the tokens, and answers 401 to everyone else."""
    if not tokens or any(len(token) < SHORTEST_TOKEN for token in tokens):
        raise ValueError(f"tokens: at least one, each of at least {SHORTEST_TOKEN} characters")
    known = [token.encode() for token in tokens]

    def check(request: Request) -> None:
        shown = request.headers.get("authorization", "")
        offered = shown.removeprefix(SCHEME).encode() if shown.startswith(SCHEME) else b""
        # Every token is compared, each in constant time: how long it takes tells nothing.
        if sum(hmac.compare_digest(offered, token) for token in known) == 0:
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED,
                "no known token: send 'Authorization: Bearer TOKEN'",
                {"WWW-Authenticate": "Bearer"},
            )

    return check
