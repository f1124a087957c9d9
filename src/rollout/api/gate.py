"""The gate of the control plane: whose token a request shows, and whether its role may do that."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Protocol

from fastapi import Request

from rollout import logs
from rollout.api.access import offered, unknown
from rollout.api.applications import DEFAULT, Applications
from rollout.api.problems import Refusal
from rollout.api.rules import OPEN, RULES
from rollout.domain.access import Caller, Role, Token
from rollout.errors import Problem, choices

FRESH_S: Final = 1.0
"""A token that another process makes or revokes is known here after this."""
USED_EVERY_US: Final = 3_600 * 1_000_000
"""When a token was last shown is written down this often, not at every request."""
_log = logs.get("gate")


class Tokens(Protocol):
    """Where tokens are kept."""

    def all(self) -> tuple[Token, ...]:
        """Return every token that is known."""

    def used(self, name: str, at_us: int) -> None:
        """Note that a token was shown."""


class Gate:
    """Knows every token by its digest, in memory: no request waits for the database.

    A secret is found by its digest. How long that takes depends on the digest of what was sent, which tells
    nobody anything about a secret that has it.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        now_us: Callable[[], int],
        applications: Applications | None = None,
        open_metrics: bool = False,
    ) -> None:
        self._tokens, self._now_us = tokens, now_us
        self._applications = applications or Applications()
        self._open = OPEN | ({("GET", "/metrics")} if open_metrics else frozenset())
        self._known: Mapping[str, Token] = {}
        self._shown: dict[str, int] = {}
        self._noted: dict[str, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the tokens anew: somebody may have made or revoked one."""
        self._known = {one.digest: one for one in self._tokens.all()}

    def keep_fresh(self, ending: threading.Event) -> None:
        """Refresh every second until the end; what is known stays while the database does not answer."""
        is_heard = True
        while not ending.wait(FRESH_S):
            try:
                self.refresh()
                self._note_use()
            except Exception as error:  # noqa: BLE001 (whatever it is, who was let in before still is)
                if is_heard:
                    _log.warning("tokens cannot be read; those known before stay", exc_info=error)
                is_heard = False
            else:
                is_heard = True

    async def __call__(self, request: Request) -> None:
        """Let a request in, or refuse it; whose token it shows is noted in its state."""
        rule = (request.method, request.scope["route"].path)
        caller = self.caller(request)
        request.state.caller = caller
        if rule in self._open:
            return
        if caller is None:
            raise self._refused(request)
        allowed = RULES.get(rule, frozenset())
        if caller.role not in allowed:
            raise _wrong_role(caller, *rule, allowed)

    def application(self, request: Request) -> str:
        """Return in whose name outcomes are reported; refuse who may not."""
        shown = offered(request)
        caller = self.caller(request)
        if caller is None:
            named = self._applications.bearing(shown)
            if named is None:
                raise self._refused(request)
            return named
        rule = (request.method, request.scope["route"].path)
        if caller.role not in RULES[rule]:
            raise _wrong_role(caller, *rule, RULES[rule])
        return caller.name if caller.role is Role.APP else DEFAULT

    def caller(self, request: Request) -> Caller | None:
        """Return whose token a request shows, if it still opens anything."""
        token = self._bearing(request)
        now_us = self._now_us()
        if token is None or token.ended(now_us):
            return None
        self._shown[token.name] = now_us
        origin = None if request.client is None else request.client.host
        return Caller(token.name, token.role, token.groups, origin)

    def _bearing(self, request: Request) -> Token | None:
        return self._known.get(hashlib.sha256(offered(request)).hexdigest())

    def _refused(self, request: Request) -> Exception:
        """Return the refusal: who bears a token that has ended is told so."""
        token = self._bearing(request)
        ended = None if token is None else token.ended(self._now_us())
        return unknown(None if token is None or ended is None else f"the token '{token.name}' {ended}")

    def _note_use(self) -> None:
        for name, at_us in list(self._shown.items()):
            if at_us - self._noted.get(name, 0) >= USED_EVERY_US:
                self._tokens.used(name, at_us)
                self._noted[name] = at_us


def _wrong_role(caller: Caller, method: str, path: str, allowed: frozenset[Role]) -> Refusal:
    wanted = choices(role.value for role in Role if role in allowed) if allowed else "none"
    what = f"the token '{caller.name}' is of role {caller.role}, and this needs {wanted}"
    return Refusal(
        HTTPStatus.FORBIDDEN, Problem(f"{method} {path}", what, "show another token, or ask an admin for one")
    )
