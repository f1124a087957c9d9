"""What a caller gets when something is wrong: problem+json (RFC 9457) for every error, never a traceback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout.client.answers import PROBLEM, ExperimentAnswer, ProblemAnswer, ProblemsAnswer
from rollout.errors import Problem, RequestRefused, RolloutError, printable
from rollout.logs import get

MAXIMUM_PROBLEMS: Final = 100
NEITHER: Final[dict[str, dict[str, object]]] = {"application/json": {}, PROBLEM: {}}
"""What a refusal is written as where a program may want more than a sentence."""
MAXIMUM_SHOWN_CHARACTERS: Final = 500


class Refusal(Exception):
    """A request that is not done, with the status that says whose move it is."""

    def __init__(
        self,
        status: HTTPStatus,
        *problems: Problem,
        retry_after_s: int | None = None,
        present: ExperimentAnswer | None = None,
    ) -> None:
        super().__init__(status, *problems)
        self.status = status
        self.problems = problems
        self.headers = None if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self.present = present
        """How the run stands that was asked about, where that is why."""


def answer(
    status: int,
    detail: str,
    problems: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
    present: ExperimentAnswer | None = None,
) -> Response:
    """Return the response that says what is wrong: in one sentence, and each problem by itself."""
    body = ProblemsAnswer(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        problems=tuple(_shown(problem) for problem in problems[:MAXIMUM_PROBLEMS]),
        experiment=present,
    )
    return Response(
        body.model_dump_json(exclude_none=True), status_code=status, headers=headers, media_type=PROBLEM
    )


def install(app: FastAPI) -> None:
    """Make every error of an application leave in this shape."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RolloutError, _worded)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_middleware(Guard)


class Guard:
    """Catches what no handler knows: a line in the log, a sentence for the caller."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and answer for it when that fails before an answer has begun."""
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                raise
            get("api").error("unexpected problem", path=scope["path"], exc_info=error)
            remedy = "report it with the control plane's log"
            problem = Problem(scope["path"], "stopped by a defect of ours", remedy)
            response = answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(problem), [problem])
            await response(scope, receive, send)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 (ours: registered for it)
    return answer(error.status, str(error.problems[0]), error.problems, error.headers, error.present)


def _worded(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RolloutError)  # noqa: S101 (ours: registered for it)
    is_refused = isinstance(error, RequestRefused)
    status = HTTPStatus.CONFLICT if is_refused else HTTPStatus.SERVICE_UNAVAILABLE
    return answer(status, str(error.problems[0]), error.problems)


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (ours: registered for it)
    found = [
        Problem(".".join(map(str, one["loc"])), lowered(str(one["msg"])), "see /openapi.json of this address")
        for one in error.errors()
    ]
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(found[0]), found)


def _plain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (ours: registered for it)
    return answer(error.status_code, str(error.detail), headers=error.headers)


def lowered(sentence: str) -> str:
    """Begin a sentence small, as it stands after a colon."""
    return sentence[:1].lower() + sentence[1:]


def _shown(problem: Problem) -> ProblemAnswer:
    """Return a problem that is safe to show and not longer than a person reads."""
    parts = (problem.where, problem.what, problem.remedy)
    where, what, remedy = (printable(part)[:MAXIMUM_SHOWN_CHARACTERS] for part in parts)
    return ProblemAnswer(where=where, what=what, remedy=remedy)
