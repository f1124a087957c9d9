"""Where nodes learn what to serve and tell how they stand, and where people see them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from rollout.api.body import read_body
from rollout.api.parsing import parsed
from rollout.api.problems import Refusal
from rollout.client.nodes import (
    LARGEST_STATE_BYTES,
    LONGEST_WAIT_S,
    SNAPSHOT_VERSION,
    LossState,
    NodeAnswer,
    NodesAnswer,
    NodeState,
    SnapshotAnswer,
    UnitKeyAnswer,
)
from rollout.errors import Problem
from rollout.fleet.fleet import Fleet, Seen, TooManyNodes
from rollout.lake.segments import NODE

MOST_WAITING: Final = 2_000
"""Nodes that wait for a newer snapshot at once; beyond it they are asked to come back."""
JSON: Final = "application/json"
NodeName = Annotated[str, Path(pattern=f"^{NODE.pattern}$")]
NodeQuery = Annotated[str, Query(pattern=f"^{NODE.pattern}$")]
After = Annotated[str | None, Query(pattern=SNAPSHOT_VERSION, description="The version that the node has.")]
Wait = Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="How long to wait for a newer one.")]


def nodes_router(
    fleet: Fleet,
    unit_key: str,
    allowed: Callable[[Request], object],
    *,
    lost: Callable[[str, tuple[LossState, ...]], None],
) -> APIRouter:
    """Return the routes of nodes, for whom `allowed` lets in; `lost` notes for good what nodes lost."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(allowed)], tags=["nodes"])
    waiting = _Waiting(fleet)

    @router.get(
        "/snapshot", response_model=SnapshotAnswer, responses={204: {"description": "Nothing newer."}}
    )
    async def snapshot(node: NodeQuery, after: After = None, wait_s: Wait = 0.0) -> Response:
        _ = node  # who asks stands in the access log of whoever is in front of us
        text = await waiting.newer(after, wait_s)
        return (
            Response(status_code=HTTPStatus.NO_CONTENT) if text is None else Response(text, media_type=JSON)
        )

    @router.get("/unit-key", response_model=UnitKeyAnswer)
    async def key() -> Response:
        content = UnitKeyAnswer(key=unit_key).model_dump_json()
        return Response(content, media_type=JSON, headers={"cache-control": "no-store"})

    @router.put("/nodes/{node}", status_code=HTTPStatus.NO_CONTENT)
    async def tell(node: NodeName, request: Request) -> None:
        # A thousand experiments take some milliseconds to read: nobody else waits for them.
        state = await run_in_threadpool(parsed, NodeState, await read_body(request, LARGEST_STATE_BYTES))
        if state.losses != fleet.losses(node):
            await run_in_threadpool(lost, node, state.losses)
        try:
            fleet.told(node, state)
        except TooManyNodes:
            remedy = "remove those that are gone: DELETE /v1/nodes/NAME"
            raise Refusal(HTTPStatus.CONFLICT, Problem(node, "there are too many nodes", remedy)) from None

    @router.get("/nodes")
    def nodes() -> NodesAnswer:
        wanted = fleet.wanted
        known = tuple(_answer(*one) for one in fleet.nodes())
        return NodesAnswer(wanted=None if wanted is None else wanted.version, nodes=known)

    return router


class _Waiting:
    """Those who wait for a newer snapshot: none of them holds a thread."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._count = 0

    async def newer(self, version: str | None, wait_s: float) -> str | None:
        """Return the text of another snapshot than this, once there is one; nothing when the time is up."""
        text = self._fleet.text_after(version)
        if text is not None or wait_s <= 0 or self._fleet.is_closed:
            return text
        if self._count >= MOST_WAITING:
            problem = Problem("/v1/snapshot", "too many nodes wait", "ask again in a while")
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, problem)
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop ended in the meantime, and with it who waits
                loop.call_soon_threadsafe(changed.set)

        end = self._fleet.listen(wake)
        self._count += 1
        try:
            async with asyncio.timeout(wait_s):
                while (text := self._fleet.text_after(version)) is None and not self._fleet.is_closed:
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            pass
        finally:
            self._count -= 1
            end()
        return text


def _answer(node: Seen, is_silent: bool, is_live: bool) -> NodeAnswer:  # noqa: FBT001 (as `Fleet.nodes` gives it)
    seen_at = None if node.at_us is None else datetime.fromtimestamp(node.at_us / 1e6, UTC)
    return NodeAnswer(name=node.name, is_silent=is_silent, is_live=is_live, seen_at=seen_at, state=node.state)
