"""The application: routers in one place, behind one error shape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import APIRouter, FastAPI

from rollout import __version__
from rollout.api.problems import install

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def nothing(_app: FastAPI) -> AsyncIterator[None]:
    """Need nothing before the first request, nor after the last."""
    yield


def create_app(routers: Sequence[APIRouter], *, lifespan: Lifespan = nothing) -> FastAPI:
    """Return an application of these routers; `/healthz` answers without a token."""
    app = FastAPI(title="rollout", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "fine"}

    install(app)
    for router in routers:
        app.include_router(router)
    return app
