"""Where the accounts of all units are made anew, and compared with those that were kept up."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from rollout.api.problems import Refusal
from rollout.api.repeats import Done, once
from rollout.client.evidence import ComparedAnswer, RebuiltAnswer
from rollout.errors import Problem
from rollout.intake.rebuilding import Rebuilding, Rebuilt


def accounts_router(rebuilding: Rebuilding, allowed: Callable[[Request], object]) -> APIRouter:
    """Return the routes about accounts, for whom `allowed` lets in."""
    router = APIRouter(prefix="/v1/evidence", dependencies=[Depends(allowed)], tags=["evidence"])

    @router.post("/rebuild", status_code=HTTPStatus.ACCEPTED, response_model=RebuiltAnswer)
    async def begin(request: Request, check: bool = False) -> Response:  # noqa: FBT001, FBT002 (the query's key)
        def work() -> Done:
            return Done(_answer(rebuilding.begin(is_check=check)), HTTPStatus.ACCEPTED)

        return await once(request, b"", work)

    @router.get("/rebuild")
    def show() -> RebuiltAnswer:
        state = rebuilding.state
        if state is None:
            problem = Problem("/v1/evidence/rebuild", "nothing was made anew", "begin with POST")
            raise Refusal(HTTPStatus.NOT_FOUND, problem)
        return _answer(state)

    return router


def _answer(state: Rebuilt) -> RebuiltAnswer:
    return RebuiltAnswer(
        is_check=state.is_check,
        is_running=state.is_running,
        rows_read=state.rows_read,
        seconds=round(state.seconds, 3),
        problem=state.problem,
        runs=tuple(
            ComparedAnswer(
                name=one.run.experiment, revision=one.run.revision, units=one.units, differs=one.differs
            )
            for one in state.runs
        ),
    )
