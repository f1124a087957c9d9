"""Where applications report outcomes: one, a list, or lines; answered when they are safe on the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import isfinite
from typing import Final

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from rollout.agent.spool import Spool, SpoolBroken, SpoolFull
from rollout.api.body import read_body
from rollout.domain.metric import MetricType
from rollout.errors import nearest
from rollout.lake.outcomes import MICRO, Outcome, spooled
from rollout.lake.units import UnitHash

LARGEST_BODY: Final = 8 * 2**20
LARGEST_BATCH: Final = 10_000
LARGEST_TEXT: Final = 512
LARGEST_VALUE: Final = 4_000_000
AHEAD_US: Final = 5 * 60 * 1_000_000
BEHIND_US: Final = 90 * 86_400 * 1_000_000
SHOWN: Final = 100
"""How many refused items an answer describes; all are counted."""
LINES: Final = ("application/x-ndjson", "application/jsonl", "application/json-lines")


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An outcome as an application tells it; without a key, its content is the key."""

    unit: str
    metric: str
    ts_us: int
    value: float
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """What outcomes are checked against; `metrics` says which exist now."""

    hashing: UnitHash
    spool: Spool
    metrics: Callable[[], Mapping[str, MetricType]]
    now_us: Callable[[], int]


_DECODER: Final = msgspec.json.Decoder(Told)
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def outcomes_router(door: Door, allowed: Callable[[Request], None]) -> APIRouter:
    """Return the route of outcomes, for whom `allowed` lets in."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(allowed)], tags=["outcomes"])

    @router.post("/outcomes", status_code=HTTPStatus.ACCEPTED)
    async def accept(request: Request) -> JSONResponse:
        items = _items(await read_body(request, LARGEST_BODY), request.headers.get("content-type", ""))
        good, refused = _checked(items, door)
        if good:
            await _keep(door.spool, good)
        status = HTTPStatus.ACCEPTED if good or not refused else HTTPStatus.UNPROCESSABLE_ENTITY
        shown = [{"item": item, "detail": why} for item, why in refused[:SHOWN]]
        return JSONResponse({"accepted": len(good), "refused": len(refused), "problems": shown}, status)

    return router


async def _keep(spool: Spool, outcomes: list[Outcome]) -> None:
    try:
        await spool.append(spooled(outcomes))
    except SpoolFull:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "the disk is behind: send this again", {"Retry-After": "1"}
        ) from None
    except SpoolBroken:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "outcomes cannot be written: see the log", {"Retry-After": "30"}
        ) from None


def _items(body: bytes, content_type: str) -> list[bytes | msgspec.Raw]:
    if content_type.partition(";")[0].strip().lower() in LINES:
        items: list[bytes | msgspec.Raw] = [line for line in body.split(b"\n") if line.strip()]
    elif body.lstrip()[:1] == b"[":
        try:
            items = list(_ITEMS.decode(body))
        except msgspec.MsgspecError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"not a list of outcomes: {error}") from None
    else:
        items = [body]
    if len(items) > LARGEST_BATCH:
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BATCH} outcomes: send them in parts"
        )
    return items


def _checked(items: list[bytes | msgspec.Raw], door: Door) -> tuple[list[Outcome], list[tuple[int, str]]]:
    metrics, now_us = door.metrics(), door.now_us()
    good: list[Outcome] = []
    refused: list[tuple[int, str]] = []
    for place, item in enumerate(items):
        try:
            good.append(_outcome(_DECODER.decode(item), door.hashing, metrics, now_us))
        except (msgspec.MsgspecError, ValueError) as error:
            refused.append((place, str(error)))
    return good, refused


def _outcome(told: Told, hashing: UnitHash, metrics: Mapping[str, MetricType], now_us: int) -> Outcome:
    unit = hashing.unit(told.unit)
    if unit is None or len(told.unit) > LARGEST_TEXT or len(told.key or "") > LARGEST_TEXT:
        raise ValueError(f"unit, key: at most {LARGEST_TEXT} characters, and a unit is not blank")
    if told.metric not in metrics:
        guess = nearest(told.metric, metrics)
        hint = f"; did you mean '{guess}'?" if guess else "; no running policy names it"
        raise ValueError(f"metric: '{told.metric[:LARGEST_TEXT]}' is unknown{hint}")
    if not now_us - BEHIND_US <= told.ts_us <= now_us + AHEAD_US:
        raise ValueError(
            f"ts_us: must be microseconds since 1970, from 90 days ago to 5 minutes ahead (got {told.ts_us})"
        )
    if metrics[told.metric] is MetricType.BINARY and told.value not in (0, 1):
        raise ValueError(f"value: must be 0 or 1 for a binary metric (got {told.value})")
    if not isfinite(told.value) or abs(told.value) > LARGEST_VALUE:
        raise ValueError(f"value: must be within ±{LARGEST_VALUE} (got {told.value})")
    value_u = round(told.value * MICRO)
    key = f"k{told.key}" if told.key is not None else f"c{told.ts_us} {value_u}"
    return Outcome(unit, told.metric, told.ts_us, value_u, hashing.key_of(key))
