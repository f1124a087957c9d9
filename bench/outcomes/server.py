"""The real door for outcomes, and beside it one that syncs for every request alone, in one process."""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import APIRouter, Request, Response

from rollout.agent.spool import Spool
from rollout.api.access import application_of
from rollout.api.allowance import Allowance
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.outcomes import Door, outcomes_router
from rollout.api.told import Meaning, Remembered
from rollout.lake.units import UnitHash

TOKEN: Final = "a token for this benchmark"  # noqa: S105 (it opens nothing)
METRIC: Final = "converted"
_WANTED: Final = {METRIC: frozenset([Meaning.DID_IT])}
_KEY: Final = b"a key of the benchmark, 32 bytes"
_ENOUGH: Final = 1e9
_SYNC: Final = getattr(os, "fdatasync", os.fsync)


def plain_router(file: Path) -> APIRouter:
    """Return a door that checks nothing and syncs each request by itself: what one writes first."""
    router, turn = APIRouter(), threading.Lock()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def keep(body: bytes) -> None:
        with turn:
            os.write(descriptor, body + b"\n")
            _SYNC(descriptor)

    @router.post("/plain")
    async def accept(request: Request) -> Response:
        await asyncio.to_thread(keep, await request.body())
        return Response(status_code=202)

    return router


def main() -> None:
    """Serve both until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    allowance = Allowance(_ENOUGH, _ENOUGH, now_s=time.monotonic)
    spool = Spool(chosen.folder / "outcomes.log")
    asked = Remembered(lambda: _WANTED, now_s=time.monotonic)
    door = Door(UnitHash(_KEY), spool, asked, lambda: time.time_ns() // 1_000, allowance)
    application = application_of([TOKEN], Applications())
    app = create_app([outcomes_router(door, application), plain_router(chosen.folder / "plain.log")])
    uvicorn.run(app, port=chosen.port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
