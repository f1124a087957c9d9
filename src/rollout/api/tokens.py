"""Where tokens are made, listed and revoked; only their digests are kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Depends, Path, Request, Response

from rollout.api.access import LOCAL, caller_of
from rollout.api.acts import act_of
from rollout.api.body import read_body
from rollout.api.parsing import parsed
from rollout.api.problems import Refusal
from rollout.api.repeats import Done, once
from rollout.api.shapes import moment
from rollout.client.tokens import (
    NAME_PATTERN,
    CreatedTokenAnswer,
    TokenAnswer,
    TokenRequest,
    TokensAnswer,
)
from rollout.domain.access import SECRET_PREFIX, Caller, Role, Token
from rollout.domain.audit import Act
from rollout.errors import Problem

SECRET_BYTES: Final = 32
LARGEST_BODY: Final = 16 * 1024
DAY_US: Final = 86_400 * 1_000_000
LOCAL_NODE: Final = "local-node"
OWN: Final = frozenset({LOCAL, LOCAL_NODE})
"""Tokens that the house draws for itself whenever it starts."""
Name = Annotated[str, Path(pattern=NAME_PATTERN)]


class KeptTokens(Protocol):
    """Where tokens are kept."""

    def all(self) -> tuple[Token, ...]:
        """Return every token that is known, by name."""

    def create(self, token: Token, act: Act) -> bool:
        """Keep a new token; return whether its name was free and there was room."""

    def revoke(self, name: str, act: Act) -> Token | None:
        """End a token; return it as it is then, or None when there is none of that name."""


class Tokens:
    """Makes and ends tokens; `changed` hears of it, so that the gate knows at once."""

    def __init__(self, kept: KeptTokens, *, changed: Callable[[], None], now_us: Callable[[], int]) -> None:
        self._kept, self._changed, self._now_us = kept, changed, now_us

    def all(self) -> TokensAnswer:
        """Return what is known of every token."""
        return TokensAnswer(tokens=tuple(self._answer(one) for one in self._kept.all()))

    def create(self, wanted: TokenRequest, caller: Caller) -> CreatedTokenAnswer:
        """Draw a token; its secret leaves with this answer."""
        if wanted.role is not Role.APPROVER and wanted.groups:
            what, remedy = (
                f"{wanted.role} approves in nobody's name",
                "leave groups out, or make it an approver",
            )
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Problem("groups", what, remedy))
        if wanted.role is Role.APPROVER and not wanted.groups:
            what, remedy = "an approver approves in some group's name", "name its groups"
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Problem("groups", what, remedy))
        now_us, secret = self._now_us(), draw_secret()
        expires_us = None if wanted.expires_days is None else now_us + wanted.expires_days * DAY_US
        token = Token(
            name=wanted.name,
            digest=digest_of(secret),
            role=wanted.role,
            groups=frozenset(wanted.groups),
            created_us=now_us,
            created_by=caller.name,
            expires_us=expires_us,
        )
        act = act_of(caller, "token create", wanted.name, now_us, why=f"role {wanted.role}")
        if wanted.name in OWN or not self._kept.create(token, act):
            what = "its name is taken, or there are too many tokens"
            remedy = "choose another name; `rollout token list` shows those that are known"
            raise Refusal(HTTPStatus.CONFLICT, Problem(wanted.name, what, remedy))
        self._changed()
        return CreatedTokenAnswer(token=self._answer(token), secret=secret)

    def revoke(self, name: str, caller: Caller) -> TokenAnswer:
        """End a token, here at once and in other processes within a second."""
        if name in OWN:
            what = "the house draws it anew at every start"
            remedy = "stop the house, remove its file `token`, and start it again"
            raise Refusal(HTTPStatus.CONFLICT, Problem(name, what, remedy))
        ended = self._kept.revoke(name, act_of(caller, "token revoke", name, self._now_us()))
        if ended is None:
            raise Refusal(
                HTTPStatus.NOT_FOUND, Problem(name, "no such token", "`rollout token list` lists every token")
            )
        self._changed()
        return self._answer(ended)

    def _answer(self, token: Token) -> TokenAnswer:
        return TokenAnswer(
            name=token.name,
            role=token.role.value,
            groups=tuple(sorted(token.groups)),
            created_at=moment(token.created_us),
            created_by=token.created_by,
            expires_at=None if token.expires_us is None else moment(token.expires_us),
            revoked_at=None if token.revoked_us is None else moment(token.revoked_us),
            used_at=None if token.used_us is None else moment(token.used_us),
            is_live=token.ended(self._now_us()) is None,
        )


def draw_secret() -> str:
    """Draw what the bearer of a token shows."""
    return SECRET_PREFIX + secrets.token_hex(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """Return what is kept of a token's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def own_token(name: str, secret: str, role: Role, now_us: int) -> Token:
    """Return a token of the house's own."""
    return Token(name, digest_of(secret), role, now_us, created_by="rollout up")


def tokens_router(tokens: Tokens, allowed: Callable[[Request], object]) -> APIRouter:
    """Return the routes about tokens, for whom `allowed` lets in."""
    router = APIRouter(prefix="/v1/tokens", dependencies=[Depends(allowed)], tags=["tokens"])

    @router.get("")
    def list_tokens() -> TokensAnswer:
        return tokens.all()

    @router.post("", status_code=HTTPStatus.CREATED, response_model=CreatedTokenAnswer)
    async def create_token(request: Request) -> Response:
        content = await read_body(request, LARGEST_BODY)
        wanted, caller = parsed(TokenRequest, content), caller_of(request)

        def work() -> Done:
            made = tokens.create(wanted, caller)
            return Done(made, HTTPStatus.CREATED, kept=made.model_copy(update={"secret": None}))

        return await once(request, content, work)

    @router.delete("/{name}", response_model=TokenAnswer)
    async def revoke_token(name: Name, request: Request) -> Response:
        caller = caller_of(request)
        return await once(request, b"", lambda: Done(tokens.revoke(name, caller)))

    return router
