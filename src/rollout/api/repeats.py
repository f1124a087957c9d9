"""Requests that may come again: with an `Idempotency-Key` a write is done once and answered alike each time.

Outcomes, segments and what nodes tell need none: each of them says by itself what it is, and is taken once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from rollout.api.access import caller_of
from rollout.api.problems import Refusal
from rollout.client.answers import Answer
from rollout.errors import Problem
from rollout.store.kept_answers import UNDER_WAY_US, Asked, Kept

HEADER: Final = "idempotency-key"
AGAIN: Final = "idempotency-replayed"
LARGEST_KEPT: Final = 256 * 1024
JSON: Final = "application/json"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Done:
    """What a write came to."""

    answer: Answer
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    kept: Answer | None = None
    """What is answered when it comes again, where the first answer holds a secret."""


class KeptAnswers(Protocol):
    """Where answers are kept for a day."""

    def begin(self, asked: Asked, now_us: int) -> Kept | None:
        """Note that a request is under way and return None, or return what is known of its key already."""

    def end(self, asked: Asked, status: int, headers: str, body: str) -> None:
        """Keep a request's answer."""

    def forget(self, asked: Asked) -> None:
        """Let a request be done anew: it came to nothing."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Does each keyed request once; a refusal did nothing, and is decided anew when it comes again."""

    kept: KeptAnswers
    now_us: Callable[[], int]

    def once(self, asked: Asked, work: Callable[[], Done]) -> Response:
        """Do the work, or answer as it was answered before."""
        known = self.kept.begin(asked, self.now_us())
        if known is not None:
            return _again(asked, known)
        try:
            done = work()
        except BaseException:
            self.kept.forget(asked)
            raise
        body = (done.kept or done.answer).model_dump_json()
        if len(body) <= LARGEST_KEPT:
            self.kept.end(asked, done.status, json.dumps(dict(done.headers)), body)
        return _response(done)


async def once(request: Request, content: bytes, work: Callable[[], Done]) -> Response:
    """Do a write in a thread; with a key it is done once, whoever sends it again."""
    key = request.headers.get(HEADER)
    if key is None:
        return _response(await run_in_threadpool(work))
    if not _KEY.fullmatch(key):
        what = "must be 1 to 255 printable characters without blanks"
        problem = Problem("Idempotency-Key", what, "draw one for each thing that you ask, such as a UUID")
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, problem)
    repeats = getattr(request.app.state, "repeats", None)
    if repeats is None:
        return _response(await run_in_threadpool(work))
    asked = Asked(caller_of(request).name, key, _digest(request, content))
    answered: Response = await run_in_threadpool(repeats.once, asked, work)
    return answered


def _digest(request: Request, content: bytes) -> str:
    parts = (request.method, request.url.path, request.url.query, request.headers.get("if-match", ""))
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + content).hexdigest()


def _again(asked: Asked, known: Kept) -> Response:
    if known.digest != asked.digest:
        what, remedy = "it came with another request before", "draw a new key for whatever else you ask"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Problem("Idempotency-Key", what, remedy))
    if known.status is None:
        what = "the first request with it is under way"
        remedy = f"send it again; one that was cut off is done anew after {UNDER_WAY_US / 1e6:g} s"
        problem = Problem("Idempotency-Key", what, remedy)
        raise Refusal(HTTPStatus.CONFLICT, problem, retry_after_s=1)
    headers = {**json.loads(known.headers), AGAIN: "true"}
    return Response(known.body, known.status, headers, JSON)


def _response(done: Done) -> Response:
    return Response(done.answer.model_dump_json(), done.status, dict(done.headers), JSON)
