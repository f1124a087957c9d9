"""The application: routers in one place, behind one error shape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI

from rollout import __version__
from rollout.api.document import described
from rollout.api.metrics import Measured, Metrics
from rollout.api.problems import install
from rollout.api.repeats import Repeats

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def nothing(_app: FastAPI) -> AsyncIterator[None]:
    """Need nothing before the first request, nor after the last."""
    yield


def create_app(
    routers: Sequence[APIRouter],
    *,
    lifespan: Lifespan = nothing,
    repeats: Repeats | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """Return an application of these routers; `/healthz` and `/openapi.json` answer without a token.

    `repeats` does what came with an `Idempotency-Key` once; without it such a key is not heeded.
    """
    app = FastAPI(
        title="rollout",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.repeats = repeats
    whole = cache(lambda: described(app.openapi()))

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        return {"status": "fine"}

    @app.get("/openapi.json", tags=["health"])
    def document() -> dict[str, Any]:
        return whole()

    install(app)
    if metrics is not None:
        app.add_middleware(Measured, metrics=metrics)
    for router in routers:
        app.include_router(router)
    return app
