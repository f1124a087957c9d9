"""Where the audit is read and checked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool

from rollout.api.body import read_body
from rollout.api.parsing import parsed
from rollout.api.problems import Refusal
from rollout.api.shapes import moment
from rollout.client.answers import MAXIMUM_PAGE, ProblemAnswer
from rollout.client.audit import ActAnswer, AuditAnswer, KnownHead, VerifiedAnswer
from rollout.domain.audit import Line
from rollout.errors import Problem
from rollout.store.audit import Head, Verified

LARGEST_BODY: Final = 4 * 1024
After = Annotated[int, Query(ge=0, lt=2**53)]
Limit = Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)]


class Audited(Protocol):
    """What keeps an audit."""

    def acts(self, *, after: int = 0, limit: int = 1_000) -> tuple[Line, ...]:
        """Return so many lines after one of them, in their order."""

    def verify(self, *, known: Head | None = None) -> Verified:
        """Check all of it, and `known` as it was noted elsewhere."""


def audit_router(audited: Audited, allowed: Callable[[Request], object]) -> APIRouter:
    """Return the routes about the audit, for whom `allowed` lets in; one check runs at a time."""
    router = APIRouter(prefix="/v1/audit", dependencies=[Depends(allowed)], tags=["audit"])
    turn = threading.Lock()

    @router.get("")
    def acts(after: After = 0, limit: Limit = MAXIMUM_PAGE) -> AuditAnswer:
        lines = audited.acts(after=after, limit=limit + 1)
        shown = lines[:limit]
        next_after = shown[-1].number if len(lines) > limit else None
        return AuditAnswer(acts=tuple(map(_act, shown)), next_after=next_after)

    @router.post("/verify")
    async def verify(request: Request) -> VerifiedAnswer:
        content = await read_body(request, LARGEST_BODY)
        known = parsed(KnownHead, content) if content.strip() else None
        head = None if known is None else Head(known.number, known.hash)
        return await run_in_threadpool(_verified, audited, head, turn)

    return router


def _verified(audited: Audited, known: Head | None, turn: threading.Lock) -> VerifiedAnswer:
    if not turn.acquire(blocking=False):
        problem = Problem("/v1/audit/verify", "another check is under way", "ask again when it has ended")
        raise Refusal(HTTPStatus.CONFLICT, problem, retry_after_s=5)
    try:
        found = audited.verify(known=known)
    finally:
        turn.release()
    return VerifiedAnswer(
        lines=found.lines,
        newest_number=found.newest.number,
        newest_hash=found.newest.hash,
        found=found.found,
        problems=tuple(
            ProblemAnswer(where=one.where, what=one.what, remedy=one.remedy) for one in found.problems
        ),
    )


def _act(line: Line) -> ActAnswer:
    act = line.act
    return ActAnswer(
        number=line.number,
        at=moment(act.at_us),
        who=act.who,
        token=act.token,
        origin=act.origin,
        verb=act.verb,
        subject=act.subject,
        why=act.why,
        about=line.about,
        content=line.content,
        previous=line.previous,
        hash=line.hash,
    )
