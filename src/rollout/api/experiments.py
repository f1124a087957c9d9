"""Where experiments are started and looked at, and where people ask something of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from rollout.api.access import caller_of
from rollout.api.body import read_body
from rollout.api.desk import Desk
from rollout.api.evidence_example import EXAMPLE
from rollout.api.problems import Refusal, lowered
from rollout.api.states import etag_of
from rollout.client.answers import (
    MAXIMUM_PAGE,
    MAXIMUM_POLICY_BYTES,
    ExperimentAnswer,
    ExperimentsAnswer,
    HistoryAnswer,
    ReportFormat,
    StartedAnswer,
)
from rollout.client.evidence import EvidenceAnswer
from rollout.client.wishes import AskedAnswer, WishRequest
from rollout.domain.wish import Asked
from rollout.errors import Problem

MAXIMUM_REQUEST_BYTES: Final = 16 * 1024
MAXIMUM_FILE_CHARACTERS: Final = 200
MEDIA_TYPES: Final = {
    ReportFormat.HTML: "text/html",
    ReportFormat.MARKDOWN: "text/markdown",
    ReportFormat.JSON: "application/json",
}
FileName = Annotated[
    str, Query(max_length=MAXIMUM_FILE_CHARACTERS, description="How findings name the policy.")
]
After = Annotated[int, Query(ge=0, lt=2**62)]
Limit = Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)]


def experiments_router(desk: Desk, allowed: Callable[[Request], None]) -> APIRouter:
    """Return the routes about experiments, for whom `allowed` lets in."""
    router = APIRouter(prefix="/v1/experiments", dependencies=[Depends(allowed)], tags=["experiments"])

    @router.post("", responses={201: {"model": StartedAnswer}})
    async def start(request: Request, response: Response, file: FileName = "policy") -> StartedAnswer:
        content = await read_body(request, MAXIMUM_POLICY_BYTES)
        started = await run_in_threadpool(desk.start, content, file)
        response.status_code = HTTPStatus.CREATED if started.is_new else HTTPStatus.OK
        return started

    @router.get("")
    def list_all() -> ExperimentsAnswer:
        return ExperimentsAnswer(experiments=desk.experiments())

    @router.get("/{name}")
    def show(name: str, response: Response) -> ExperimentAnswer:
        found = desk.experiment(name)
        response.headers["etag"] = etag_of(found)
        return found

    @router.get("/{name}/history")
    def history(name: str, after: After = 0, limit: Limit = MAXIMUM_PAGE) -> HistoryAnswer:
        return desk.history(name, after=after, limit=limit)

    @router.get("/{name}/evidence", responses={200: {"content": {"application/json": {"example": EXAMPLE}}}})
    def evidence(name: str) -> EvidenceAnswer:
        return desk.evidence(name)

    @router.get("/{name}/report", response_class=Response)
    def report(name: str, format: ReportFormat = ReportFormat.HTML) -> Response:  # noqa: A002 (the query's key)
        return Response(desk.report(name, format), media_type=MEDIA_TYPES[format])

    for kind in Asked:
        _add_verb(router, desk, kind)
    return router


def _add_verb(router: APIRouter, desk: Desk, kind: Asked) -> None:
    """Add the route by which a person asks for one thing."""

    async def ask(name: str, request: Request, response: Response) -> AskedAnswer:
        wanted = _wanted(await read_body(request, MAXIMUM_REQUEST_BYTES))
        if_match = request.headers.get("if-match")
        asked = await run_in_threadpool(desk.ask, name, kind, wanted, caller_of(request), if_match)
        response.status_code = HTTPStatus.ACCEPTED if asked.is_new else HTTPStatus.OK
        response.headers["etag"] = etag_of(asked.experiment)
        return asked

    router.add_api_route(
        f"/{{name}}/{kind.value}",
        ask,
        methods=["POST"],
        name=kind.value,
        operation_id=kind.value,
        responses={202: {"model": AskedAnswer}},
    )


def readiness_router(check: Callable[[], Sequence[Problem]]) -> APIRouter:
    """Return `/readyz`: fine when the check returns, 503 when it raises; it needs no token.

    It counts the problems that leave the rest to work, and shows none: anybody may ask.
    """
    router = APIRouter()

    @router.get("/readyz", include_in_schema=False)
    def readyz() -> dict[str, str | int]:
        try:
            problems = check()
        except Exception as error:
            problem = Problem("/readyz", "not ready", "see the control plane's log")
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, problem) from error
        return {"status": "ready", "problems": len(problems)}

    return router


def _wanted(content: bytes) -> WishRequest:
    """Return what a body asks for; refuse it with every mistake."""
    try:
        return WishRequest.model_validate_json(content)
    except ValidationError as error:
        problems = [
            Problem(
                ".".join(map(str, one["loc"])) or "body", lowered(one["msg"]), 'send {"why": "…", "who": "…"}'
            )
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, *problems) from None
