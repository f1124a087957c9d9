"""What is measured of a control plane, for Prometheus, as it happens.

Labels are bounded: routes as they are written, policies that run, nodes and receivers that are known; never
a unit, nor a path as it was asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout import __version__
from rollout.api.figures import Looked, Sources
from rollout.controller.reconcile import Tick

METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
UNMATCHED: Final = "unmatched"
_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """The figures of one control plane, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        own = self.registry
        Gauge("rollout_build_info", "The program's version.", ["version"], registry=own).labels(
            __version__
        ).set(1)
        self.requests = Counter(
            "rollout_api_requests", "Requests answered.", ["method", "route", "status"], registry=own
        )
        self.request_seconds = Histogram(
            "rollout_api_request_seconds",
            "How long answers took.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=own,
        )
        self.decisions = Counter(
            "rollout_decisions", "Decisions of looks, by reason.", ["action", "reason"], registry=own
        )
        self.overtaken = Counter(
            "rollout_ticks_overtaken", "Looks whose record somebody else came before.", registry=own
        )
        self.failures = Counter(
            "rollout_tick_failures", "Parts of looks that did not work, by kind.", ["kind"], registry=own
        )
        self.outcomes = Counter(
            "rollout_outcomes", "Outcomes told, by what became of them.", ["became"], registry=own
        )
        for became in ("accepted", "refused"):
            self.outcomes.labels(became)

    def look_up(self, sources: Sources) -> None:
        """Have what these tell shown as well, looked up whenever somebody asks."""
        self.registry.register(Looked(sources))

    def noting(self, tick: Callable[[str, int], Tick | None]) -> Callable[[str, int], Tick | None]:
        """Return a tick whose decisions and failures are counted; what it costs the loop knows."""

        def noted(uid: str, now_us: int) -> Tick | None:
            try:
                found = tick(uid, now_us)
            except Exception as error:
                self.failures.labels(type(error).__name__).inc()
                raise
            if found is not None:
                self._note(found)
            return found

        return noted

    def told(self, accepted: int, refused: int) -> None:
        """Count the outcomes of one request."""
        self.outcomes.labels("accepted").inc(accepted)
        self.outcomes.labels("refused").inc(refused)

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self.registry)

    def _note(self, tick: Tick) -> None:
        if tick.was_overtaken:
            self.overtaken.inc()
        if tick.decision is not None:
            self.decisions.labels(tick.decision.action.value, tick.decision.reason.name).inc()
        for problem in tick.problems:
            self.failures.labels(type(problem).__name__).inc()


class Measured:
    """Counts every answer by its route as it is written, and times it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note what it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began_s = 500, time.monotonic()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", UNMATCHED)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.request_seconds.labels(method, route).observe(time.monotonic() - began_s)


def metrics_router(metrics: Metrics, allowed: Callable[[Request], object]) -> APIRouter:
    """Return `/metrics`, for whom `allowed` lets in."""
    router = APIRouter(dependencies=[Depends(allowed)], tags=["health"])

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def show() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router
