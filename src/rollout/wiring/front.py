"""What answers at a control plane's address all the time: the leader's application, or who leads instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout.api.problems import answer
from rollout.errors import Problem

RETRY_AFTER_S: Final = 1
_BAD: Final = 300


@dataclass(frozen=True, slots=True)
class Leader:
    """What a leader answers with, and whether it leads at this moment."""

    application: ASGIApp
    leads: Callable[[], bool]


class Front:
    """One address; without a leader behind it, it says that it stands by, and who leads as far as is known.

    Whoever lost the lead while it worked, or slept, answers nobody as if it led: its answer becomes that of a
    standby. What it had written until then was written while it led, and asking again finds it.
    """

    def __init__(self, url: str, others: Callable[[], str | None]) -> None:
        self._url, self._others = url, others
        self._leader: Leader | None = None

    def lead(self, leader: Leader) -> None:
        """Answer as this leader from now on."""
        self._leader = leader

    def stand_by(self) -> None:
        """Answer as nobody who leads."""
        self._leader = None

    def leads(self) -> bool:
        """Whether the leader's application answers."""
        return self._leader is not None and self._leader.leads()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        leader = self._leader
        if leader is not None and leader.leads():
            await leader.application(scope, receive, self._checked(leader, scope, receive, send))
        else:
            await self._standby(scope)(scope, receive, send)

    def _checked(self, leader: Leader, scope: Scope, receive: Receive, send: Send) -> Send:
        """Return what sends an answer, unless it is a good one and the lead was lost meanwhile."""
        is_void = False

        async def sending(message: Message) -> None:
            nonlocal is_void
            begins = message["type"] == "http.response.start" and message["status"] < _BAD
            if begins and not (leader is self._leader and leader.leads()):
                is_void = True
                await self._standby(scope)(scope, receive, send)
            if not is_void:
                await send(message)

        return sending

    def _standby(self, scope: Scope) -> Response:
        if scope["path"] == "/healthz":
            return JSONResponse({"status": "fine"})
        other = self._others()
        headers = {"retry-after": str(RETRY_AFTER_S)} | ({} if other is None else {"rollout-leader": other})
        if scope["path"] == "/readyz":
            content = {"status": "standby", "leader": other}
            return JSONResponse(content, HTTPStatus.SERVICE_UNAVAILABLE, headers)
        what = "it stands by; " + ("nobody leads at the moment" if other is None else f"{other} leads")
        remedy = "name every control plane in ROLLOUT_CONTROL_URL, separated by commas"
        if other is None:
            remedy = "one of them takes over within seconds: ask again"
        problem = Problem(self._url, what, remedy)
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, str(problem), [problem], headers)


async def _live(receive: Receive, send: Send) -> None:
    """Answer the server that everything is ready, and at the end that nothing is left to do."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
