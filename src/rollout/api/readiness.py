"""Whether a process does its work: anybody may ask, and who may read is told what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

from fastapi import APIRouter, Request

from rollout.api.problems import Refusal
from rollout.api.rules import READERS
from rollout.client.answers import Answer, ProblemAnswer
from rollout.domain.access import Caller
from rollout.errors import Problem, RolloutError


class ReadyAnswer(Answer):
    """It works; what leaves the rest to work is counted, and shown to who may read."""

    status: str = "ready"
    problems: int
    found: tuple[ProblemAnswer, ...] | None = None


class Knowing(Protocol):
    """What knows tokens."""

    def caller(self, request: Request) -> Caller | None:
        """Return whose token a request shows, if it opens anything."""


def readiness_router(check: Callable[[], Sequence[Problem]], knowing: Knowing | None = None) -> APIRouter:
    """Return `/readyz`: fine when the check returns, 503 when it raises; it needs no token.

    Without one that may read it counts problems and shows none.
    """
    router = APIRouter(tags=["health"])

    @router.get(
        "/readyz",
        response_model_exclude_none=True,
        responses={503: {"description": "It does not do its work now."}},
    )
    def readyz(request: Request) -> ReadyAnswer:
        caller = None if knowing is None else knowing.caller(request)
        may_read = caller is not None and caller.role in READERS
        try:
            problems = check()
        except Exception as error:
            hidden = Problem("/readyz", "not ready", "see the control plane's log, or ask with a token")
            shown = error.problems if isinstance(error, RolloutError) and may_read else (hidden,)
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, *shown) from error
        found = tuple(ProblemAnswer(where=one.where, what=one.what, remedy=one.remedy) for one in problems)
        return ReadyAnswer(problems=len(found), found=found if may_read else None)

    return router
