"""Where applications report outcomes: one, a list, or lines; answered when they are safe on the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Final

import msgspec
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from rollout.agent.spool import Spool, SpoolBroken, SpoolFull
from rollout.api.allowance import Allowance
from rollout.api.body import Room, read_packed
from rollout.api.problems import NEITHER
from rollout.api.told import Checker, Remembered
from rollout.client.outcomes import ToldAnswer, WantedAnswer
from rollout.lake.outcomes import Outcome, spooled
from rollout.lake.units import UnitHash

LARGEST_BODY: Final = 8 * 2**20
LARGEST_BATCH: Final = 10_000
MOST_LINES: Final = 2 * LARGEST_BATCH
MOST_COMMAS: Final = 20 * LARGEST_BATCH
LONGEST_WAIT_S: Final = 3_600
LONGEST_DETAIL: Final = 300
SHOWN: Final = 100
"""How many refused items an answer describes; all are counted."""
LINES: Final = ("application/x-ndjson", "application/jsonl", "application/json-lines")
# What `curl --data` says when nobody asked it: not worth a refusal.
JSON: Final = ("application/json", "application/x-www-form-urlencoded", "")


@dataclass(frozen=True, slots=True)
class Door:
    """What outcomes are checked against."""

    hashing: UnitHash
    spool: Spool
    wanted: Remembered
    now_us: Callable[[], int]
    allowance: Allowance
    room: Room = field(default_factory=Room)
    told: Callable[[int, int], None] = lambda _accepted, _refused: None
    """Hears how many outcomes of a request were taken, and how many were not."""


@dataclass(frozen=True, slots=True)
class Item:
    """One outcome of a body, not yet read."""

    content: bytes | msgspec.Raw
    line: int | None = None
    """Counts from 1, in a body of lines."""


_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
Problems = list[dict[str, int | str]]


def outcomes_router(door: Door, application: Callable[[Request], str]) -> APIRouter:
    """Return the route of outcomes; `application` names who asks, or refuses."""
    router = APIRouter(prefix="/v1", tags=["outcomes"])

    @router.post(
        "/outcomes",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ToldAnswer,
        responses={422: {"description": "None of them is taken.", "content": NEITHER}},
    )
    async def accept(request: Request) -> JSONResponse:
        name = application(request)
        _admit(door.allowance, name)
        split = _splitter(request.headers.get("content-type", ""))
        with door.room.share() as share:
            items = split(await read_packed(request, LARGEST_BODY, share))
            door.allowance.charge(name, len(items))
            if len(items) > LARGEST_BATCH:
                raise _too_many()
            wanted = await door.wanted.now()
            good, problems = _checked(items, Checker(door.hashing, name, wanted, door.now_us()))
            if good:
                await _keep(door.spool, good)
        refused = len(items) - len(good)
        door.told(len(good), refused)
        status = HTTPStatus.ACCEPTED if good or not refused else HTTPStatus.UNPROCESSABLE_ENTITY
        return JSONResponse({"accepted": len(good), "refused": refused, "problems": problems}, status)

    @router.get("/outcomes/metrics")
    async def metrics(request: Request) -> WantedAnswer:
        application(request)
        wanted = await door.wanted.now()
        return WantedAnswer(
            metrics={name: tuple(sorted(one.name for one in wanted[name])) for name in sorted(wanted)},
            now_us=door.now_us(),
        )

    return router


def _admit(allowance: Allowance, application: str) -> None:
    wait_s = allowance.wait_s(application)
    if wait_s > 0:
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"application '{application}' reports more than its share: come back later",
            {"Retry-After": str(min(ceil(wait_s), LONGEST_WAIT_S))},
        )


async def _keep(spool: Spool, outcomes: list[Outcome]) -> None:
    try:
        await spool.append(spooled(outcomes))
    except SpoolFull:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "the disk is behind: send this again", {"Retry-After": "1"}
        ) from None
    except SpoolBroken as error:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "outcomes cannot be written now: send this again later",
            {"Retry-After": str(ceil(error.wait_s))},
        ) from None


def _splitter(content_type: str) -> Callable[[bytes], list[Item]]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in LINES:
        return _lines
    if kind in JSON:
        return _list_or_one
    raise HTTPException(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "content-type: must be application/json for one outcome or a list, or application/x-ndjson for lines",
        {"Accept": "application/json, application/x-ndjson"},
    )


def _lines(body: bytes) -> list[Item]:
    # Counted before it is split: eight million blank lines would be a gigabyte.
    if body.count(b"\n") > MOST_LINES:
        raise _too_many()
    lines = enumerate(body.split(b"\n"), start=1)
    return [Item(line, number) for number, line in lines if line and not line.isspace()]


def _list_or_one(body: bytes) -> list[Item]:
    if body.lstrip()[:1] != b"[":
        return [Item(body)]
    # The same: an outcome has five commas, and few more stand in its texts.
    if body.count(b",") > MOST_COMMAS:
        raise _too_many()
    try:
        return [Item(one) for one in _ITEMS.decode(body)]
    except msgspec.MsgspecError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"not a list of outcomes: {error}") from None


def _too_many() -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BATCH} outcomes: send them in parts"
    )


def _checked(items: list[Item], checker: Checker) -> tuple[list[Outcome], Problems]:
    """Return the good outcomes, and what is wrong with the first of the others."""
    good: list[Outcome] = []
    problems: Problems = []
    for place, item in enumerate(items):
        try:
            good.append(checker.outcome(item.content))
        except (msgspec.MsgspecError, ValueError) as error:
            if len(problems) < SHOWN:
                line = {} if item.line is None else {"line": item.line}
                problems.append({"item": place, **line, "detail": str(error)[:LONGEST_DETAIL]})
    return good, problems
