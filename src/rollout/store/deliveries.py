"""What became of messages: for whoever asks after an experiment, and in figures for every receiver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, text

from rollout.domain.news import News
from rollout.store.database import Database
from rollout.store.enclosing import GAVE_UP, PENDING, SENT, WITHDRAWN
from rollout.store.ledger_json import read

MOST: Final = 1_001
"""One more than a page: whoever asks for it learns whether more follow."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that one receiver is told, and how far that has come."""

    number: int
    key: str
    receiver: str
    news: News
    state: str
    """`pending`, `sent`, `gave-up`, or `withdrawn`: it passed before it was told."""
    tries: int
    ended_us: int | None
    """When it was sent, given up or withdrawn."""
    problem: str | None
    """Why the last try failed."""
    next_us: int | None
    """When it is tried next, while it is pending."""


@dataclass(frozen=True, slots=True)
class ReceiverFigures:
    """How a receiver fares."""

    receiver: str
    waiting: int
    oldest_us: int | None
    """Since when the oldest waits; what must first last is not waiting yet."""
    failures: int
    """How many sendings in a row have failed."""
    sent: int
    gave_up: int
    """Both of what is still kept: two weeks."""


class Deliveries:
    """Reads; it never waits for whoever writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(
        self, name: str | None = None, *, limit: int = 50, before: int | None = None
    ) -> tuple[Delivery, ...]:
        """Return what was or will be told of a policy, or of all, the newest first; `before` pages on."""
        chosen = ["notification.number < :before"] if before is not None else []
        chosen += ["notification.name = :name"] if name is not None else []
        values: dict[str, object] = {"limit": min(max(limit, 0), MOST)}
        values |= {} if name is None else {"name": name}
        values |= {} if before is None else {"before": before}
        where = f"WHERE {' AND '.join(chosen)} " if chosen else ""
        statement = text(
            "SELECT notification.*, receiver.next_us AS free_us FROM notification "  # noqa: S608 (our words)
            "JOIN receiver ON receiver.name = notification.receiver "
            f"{where}ORDER BY notification.number DESC LIMIT :limit"
        )
        with self._database.read() as connection:
            return tuple(_delivery(row) for row in connection.execute(statement, values).mappings())

    def figures(self, now_us: int) -> tuple[ReceiverFigures, ...]:
        """Return how every receiver fares that a policy has named."""
        statement = text(
            "SELECT receiver.name AS name, receiver.failures AS failures, "
            "count(CASE WHEN state = :pending AND due_us <= :now THEN 1 END) AS waiting, "
            "min(CASE WHEN state = :pending AND due_us <= :now THEN due_us END) AS oldest_us, "
            "count(CASE WHEN state = :sent THEN 1 END) AS sent, "
            "count(CASE WHEN state = :gave_up THEN 1 END) AS gave_up "
            "FROM receiver LEFT JOIN notification ON notification.receiver = receiver.name "
            "GROUP BY receiver.name, receiver.failures ORDER BY receiver.name"
        )
        values = {"pending": PENDING, "sent": SENT, "gave_up": GAVE_UP, "now": now_us}
        with self._database.read() as connection:
            rows = connection.execute(statement, values).mappings()
            return tuple(
                ReceiverFigures(
                    receiver=row["name"],
                    waiting=row["waiting"],
                    oldest_us=row["oldest_us"],
                    failures=row["failures"],
                    sent=row["sent"],
                    gave_up=row["gave_up"],
                )
                for row in rows
            )


def _delivery(row: RowMapping) -> Delivery:
    is_pending = row["state"] == PENDING
    assert row["state"] in {PENDING, SENT, GAVE_UP, WITHDRAWN}  # noqa: S101 (nobody else writes here)
    return Delivery(
        number=row["number"],
        key=row["key"],
        receiver=row["receiver"],
        news=read(News, row["content"]),
        state=row["state"],
        tries=row["tries"],
        ended_us=row["ended_us"],
        problem=row["problem"],
        next_us=max(row["due_us"], row["free_us"]) if is_pending else None,
    )
