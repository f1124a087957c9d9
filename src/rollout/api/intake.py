"""Where nodes hand in their segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, assert_never

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, RootModel

from rollout.api.body import read_body
from rollout.api.parsing import parsed
from rollout.api.problems import NEITHER
from rollout.domain.records import Run
from rollout.intake.intake import Answer, Filed, Intake, OutOfTurn, Refused
from rollout.lake import segments
from rollout.lake.segments import LOG, NODE, Kind
from rollout.store.counts import Told
from rollout.store.losses import Lost

LARGEST_SEGMENT: Final = 32 * 2**20
LARGEST_OFFSET: Final = 10**15 - 1
LARGEST_LOSSES: Final = 4_000
LARGEST_LOSSES_BYTES: Final = 4 * 2**20
NodeName = Annotated[str, Path(pattern=f"^{NODE.pattern}$")]
LogName = Annotated[str, Path(pattern=f"^{LOG.pattern}$")]


class Cut(BaseModel):
    """Which bytes of the log a segment holds, and what comes with them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Annotated[int, Field(ge=0, le=LARGEST_OFFSET)]
    end: Annotated[int, Field(ge=0, le=LARGEST_OFFSET)]
    watermark_us: Annotated[int, Field(ge=0, lt=2**62)] = 0
    bad_lines: Annotated[int, Field(ge=0, lt=2**31)] = 0


class LostRecords(BaseModel):
    """What a node lost of one run in all; an empty experiment means anybody's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    experiment: Annotated[str, Field(max_length=253)]
    revision: Annotated[int, Field(ge=0, lt=2**31)]
    rows: Annotated[int, Field(ge=0, lt=2**62)]
    bytes: Annotated[int, Field(ge=0, lt=2**62)]
    from_us: Annotated[int, Field(ge=0, lt=2**62)]
    to_us: Annotated[int, Field(ge=0, lt=2**62)]

    def as_lost(self) -> Lost:
        """Return it as the counts take it."""
        run = Run(self.experiment, self.revision) if self.experiment else None
        return Lost(run, self.kind, self.rows, self.to_us)


class AllLosses(RootModel[Annotated[tuple[LostRecords, ...], Field(max_length=LARGEST_LOSSES)]]):
    """Everything that a node has lost, in one list."""


def intake_router(
    intake: Intake, allowed: Callable[[Request], object], *, forget: Callable[[str], bool] = lambda _: False
) -> APIRouter:
    """Return the routes of an intake, for whom `allowed` lets in; `forget` hears of nodes that sign off."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(allowed)], tags=["intake"])

    @router.post(
        "/segments/{kind}/{node}/{log}",
        responses={
            409: {"description": "It does not follow what is filed.", "content": NEITHER},
            422: {"description": "It cannot be read.", "content": NEITHER},
        },
    )
    async def accept(
        request: Request, kind: Kind, node: NodeName, log: LogName, cut: Annotated[Cut, Query()]
    ) -> JSONResponse:
        if cut.end < cut.start:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "end: must not be before start")
        told = Told(kind, node, log, cut.start, cut.end, cut.watermark_us, cut.bad_lines)
        body = await read_body(request, LARGEST_SEGMENT)
        if request.headers.get("content-digest") != segments.content_digest(body):
            raise HTTPException(
                status.HTTP_400_BAD_REQUEST,
                "Content-Digest: not that of the body that arrived; send it again",
            )
        return _answered(await run_in_threadpool(intake.accept, told, body))

    @router.put("/nodes/{node}/losses", status_code=status.HTTP_204_NO_CONTENT)
    async def lose(node: NodeName, request: Request) -> None:
        # The body is read here, within its limits, and only of who was let in.
        content = await read_body(request, LARGEST_LOSSES_BYTES)
        losses = await run_in_threadpool(parsed, AllLosses, content)
        await run_in_threadpool(intake.note_losses, node, [one.as_lost() for one in losses.root])

    @router.delete("/nodes/{node}", status_code=status.HTTP_204_NO_CONTENT)
    async def sign_off(node: NodeName) -> None:
        was_seen = forget(node)
        if not await run_in_threadpool(intake.forget_node, node) and not was_seen:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"node '{node}' is not known")

    return router


def _answered(answer: Answer) -> JSONResponse:
    match answer:
        case Filed(cursor):
            return JSONResponse({"cursor": cursor})
        case OutOfTurn(cursor):
            return JSONResponse({"cursor": cursor}, status.HTTP_409_CONFLICT)
        case Refused(why):
            return JSONResponse({"detail": why}, status.HTTP_422_UNPROCESSABLE_CONTENT)
        case _:
            assert_never(answer)
