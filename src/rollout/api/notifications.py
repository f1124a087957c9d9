"""Where it is read whom a control plane told of what, and whether that arrived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Request

from rollout.api.shapes import moment
from rollout.client.answers import MAXIMUM_PAGE
from rollout.client.notifications import DeliveryAnswer, NotificationsAnswer
from rollout.notify.wording import title
from rollout.store.deliveries import Delivery

Before = Annotated[int | None, Query(ge=1, lt=2**53)]
Limit = Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)]
Named = Annotated[str | None, Query(max_length=63)]


class Delivering(Protocol):
    """What knows of messages."""

    def of(
        self, name: str | None = None, *, limit: int = 50, before: int | None = None
    ) -> tuple[Delivery, ...]:
        """Return what was or will be told of a policy, or of all, the newest first."""


def notifications_router(delivering: Delivering, allowed: Callable[[Request], object]) -> APIRouter:
    """Return the route about messages, for whom `allowed` lets in."""
    router = APIRouter(prefix="/v1/notifications", dependencies=[Depends(allowed)], tags=["notifications"])

    @router.get("")
    def notifications(
        experiment: Named = None, before: Before = None, limit: Limit = 50
    ) -> NotificationsAnswer:
        found = delivering.of(experiment, limit=limit + 1, before=before)
        shown = found[:limit]
        return NotificationsAnswer(
            notifications=tuple(map(_answer, shown)),
            next_before=shown[-1].number if len(found) > limit else None,
        )

    return router


def _answer(one: Delivery) -> DeliveryAnswer:
    return DeliveryAnswer(
        number=one.number,
        id=one.key,
        receiver=one.receiver,
        experiment=one.news.policy,
        at=moment(one.news.at_us),
        title=title(one.news),
        decision=one.news.number,
        state=one.state,
        tries=one.tries,
        ended_at=None if one.ended_us is None else moment(one.ended_us),
        problem=one.problem,
        next_at=None if one.next_us is None else moment(one.next_us),
    )
