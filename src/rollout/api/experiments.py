"""Where experiments are started and looked at, and where people ask something of them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from rollout.api.access import caller_of
from rollout.api.body import read_body
from rollout.api.desk import Desk
from rollout.api.evidence_example import EXAMPLE
from rollout.api.parsing import parsed
from rollout.api.repeats import Done, once
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
from rollout.client.records import RecordAnswer, ReplayAnswer
from rollout.client.wishes import AskedAnswer, WishRequest
from rollout.domain.experiment import Phase
from rollout.domain.wish import Asked

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
AfterName = Annotated[
    str | None, Query(max_length=253, description="The name of the last one of the page before.")
]
Number = Annotated[int, Path(ge=1, lt=2**31, description="Which decision; counts from 1.")]
After = Annotated[int, Query(ge=0, lt=2**62)]
Limit = Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)]


def experiments_router(desk: Desk, allowed: Callable[[Request], object]) -> APIRouter:
    """Return the routes about experiments, for whom `allowed` lets in."""
    router = APIRouter(prefix="/v1/experiments", dependencies=[Depends(allowed)], tags=["experiments"])

    @router.post("", response_model=StartedAnswer, responses={201: {"model": StartedAnswer}})
    async def start(request: Request, file: FileName = "policy") -> Response:
        content = await read_body(request, MAXIMUM_POLICY_BYTES)
        caller, if_match = caller_of(request), request.headers.get("if-match")

        def work() -> Done:
            started = desk.start(content, file, caller, if_match)
            status = HTTPStatus.CREATED if started.is_new else HTTPStatus.OK
            return Done(started, status, {"etag": etag_of(started.experiment)})

        return await once(request, content, work)

    @router.get("")
    def list_all(
        phase: Phase | None = None, after: AfterName = None, limit: Limit = MAXIMUM_PAGE
    ) -> ExperimentsAnswer:
        return desk.experiments(phase=phase, after=after, limit=limit)

    @router.get("/{name}")
    def show(name: str, response: Response) -> ExperimentAnswer:
        found = desk.experiment(name)
        response.headers["etag"] = etag_of(found)
        return found

    @router.get("/{name}/evidence", responses={200: {"content": {"application/json": {"example": EXAMPLE}}}})
    def evidence(name: str) -> EvidenceAnswer:
        return desk.evidence(name)

    @router.get("/{name}/report", response_class=Response)
    def report(name: str, format: ReportFormat = ReportFormat.HTML) -> Response:  # noqa: A002 (the query's key)
        return Response(desk.report(name, format), media_type=MEDIA_TYPES[format])

    _add_records(router, desk)
    for kind in Asked:
        _add_verb(router, desk, kind)
    return router


def _add_records(router: APIRouter, desk: Desk) -> None:
    """Add the routes about what was decided."""

    @router.get("/{name}/history")
    def history(name: str, after: After = 0, limit: Limit = MAXIMUM_PAGE) -> HistoryAnswer:
        return desk.history(name, after=after, limit=limit)

    @router.get("/{name}/decisions/{number}")
    def decision(name: str, number: Number) -> RecordAnswer:
        return desk.decision(name, number)

    @router.post("/{name}/decisions/{number}/replay")
    def replay(name: str, number: Number) -> ReplayAnswer:
        return desk.replay(name, number)


def _add_verb(router: APIRouter, desk: Desk, kind: Asked) -> None:
    """Add the route by which a person asks for one thing."""

    async def ask(name: str, request: Request) -> Response:
        content = await read_body(request, MAXIMUM_REQUEST_BYTES)
        wanted, caller = parsed(WishRequest, content), caller_of(request)
        if_match = request.headers.get("if-match")

        def work() -> Done:
            asked = desk.ask(name, kind, wanted, caller, if_match)
            status = HTTPStatus.ACCEPTED if asked.is_new else HTTPStatus.OK
            return Done(asked, status, {"etag": etag_of(asked.experiment)})

        return await once(request, content, work)

    router.add_api_route(
        f"/{{name}}/{kind.value}",
        ask,
        methods=["POST"],
        name=kind.value,
        operation_id=kind.value,
        response_model=AskedAnswer,
        responses={202: {"model": AskedAnswer}},
    )
