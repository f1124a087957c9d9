"""Messages come into the outbox in the transaction that records what they tell of: both stand, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import Connection, text

from rollout.domain.audit import Act
from rollout.domain.decision import Decision
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.news import News, changed, decided
from rollout.domain.policy import Notice
from rollout.domain.telling import (
    RECOVERED_US,
    Occasion,
    Telling,
    events_of,
    is_repeated,
    telling_of,
    topic_of,
)
from rollout.store.ledger_json import written

_LOG = structlog.get_logger(part="store")
PENDING: Final = "pending"
SENT: Final = "sent"
GAVE_UP: Final = "gave-up"
WITHDRAWN: Final = "withdrawn"


def enclose_decision(connection: Connection, version: int, run: Experiment, entry: Entry) -> None:
    """Write down whom to tell of a recorded decision; `version` counts the run's recorded states."""
    if not entry.policy.notify:
        return
    topic = topic_of(Occasion.DECIDED, entry.decision, entry.revision)
    _withdraw(connection, run.uid, topic)
    telling = telling_of(Occasion.DECIDED, entry.decision)
    if telling is None or (is_repeated(entry.decision) and _is_told(connection, run.uid, topic, entry)):
        return
    try:
        news = decided(version, run, entry)
        content = written(news)
    except Exception:  # noqa: BLE001 (a decision is recorded, whatever keeps people from being told)
        _LOG.exception("nobody can be told of a decision", uid=run.uid, number=entry.number)
        return
    _enclose(connection, news, content, entry.policy.notify, telling, topic)


def enclose_change(  # noqa: PLR0913, PLR0917 (each is one thing that is told)
    connection: Connection, occasion: Occasion, version: int, run: Experiment, at_us: int, act: Act | None
) -> None:
    """Write down whom to tell of a start or of a changed policy."""
    telling = telling_of(occasion, None)
    if run.policy.notify and telling is not None:
        topic = topic_of(occasion, None, run.revision)
        news = changed(occasion, version, run, at_us, act)
        _enclose(connection, news, written(news), run.policy.notify, telling, topic)


def _enclose(  # noqa: PLR0913, PLR0917 (the same)
    connection: Connection, news: News, content: str, notices: Sequence[Notice], telling: Telling, topic: str
) -> None:
    for notice in notices:
        if not events_of(telling).isdisjoint(notice.events):
            connection.execute(_NEW_RECEIVER, {"name": notice.to})
            row = {
                "key": f"{news.id}.{notice.to}",
                "receiver": notice.to,
                "uid": news.uid,
                "name": news.policy,
                "topic": topic,
                "is_withdrawable": telling.lasts_us > 0,
                "at_us": news.at_us,
                "due_us": news.at_us + telling.lasts_us,
                "state": PENDING,
                "content": content,
            }
            connection.execute(_NEW_NOTIFICATION, row)


_NEW_RECEIVER: Final = text(
    "INSERT INTO receiver (name, held_until_us, next_us, paced_us, failures) VALUES (:name, 0, 0, 0, 0) "
    "ON CONFLICT (name) DO NOTHING"
)
_NEW_NOTIFICATION: Final = text(
    "INSERT INTO notification "
    "(key, receiver, uid, name, topic, is_withdrawable, at_us, due_us, state, tries, content) VALUES "
    "(:key, :receiver, :uid, :name, :topic, :is_withdrawable, :at_us, :due_us, :state, 0, :content) "
    "ON CONFLICT (key) DO NOTHING"
)


def _withdraw(connection: Connection, uid: str, topic: str) -> None:
    """Tell nobody of a trouble that has passed before it was told of."""
    statement = text(
        "UPDATE notification SET state = :withdrawn, ended_us = at_us "
        "WHERE uid = :uid AND topic <> :topic AND state = :pending AND is_withdrawable AND letter IS NULL"
    )
    connection.execute(statement, {"withdrawn": WITHDRAWN, "uid": uid, "topic": topic, "pending": PENDING})


def _is_told(connection: Connection, uid: str, topic: str, entry: Entry) -> bool:
    """Return whether a trouble was told of, and has not been away for long enough since."""
    told = text(
        "SELECT 1 FROM notification WHERE uid = :uid AND topic = :topic AND state <> :withdrawn LIMIT 1"
    )
    found = connection.execute(told, {"uid": uid, "topic": topic, "withdrawn": WITHDRAWN}).first()
    if found is None:
        return False
    ended_us = _ended_us(connection, uid, entry, entry.decision)
    return ended_us is None or entry.at_us - ended_us < RECOVERED_US


def _ended_us(connection: Connection, uid: str, entry: Entry, decision: Decision) -> int | None:
    """Return when the same trouble ended the last time, or None when it goes on."""
    same = ["uid = :uid", "revision = :revision", "number < :number", "reason = :reason"]
    values: dict[str, object] = {
        "uid": uid,
        "revision": entry.revision,
        "number": entry.number,
        "reason": decision.reason.name,
    }
    for column, value in (("metric", decision.metric), ("arm", decision.arm)):
        # PostgreSQL asks for the type of a NULL that it is handed.
        same.append(f"{column} IS NULL" if value is None else f"{column} = :{column}")
        if value is not None:
            values[column] = value
    newest = text(f"SELECT max(number) FROM decision WHERE {' AND '.join(same)}")  # noqa: S608 (our own names)
    last = connection.execute(newest, values).scalar_one()
    if last is None or last + 1 >= entry.number:
        return None
    after = text("SELECT at_us FROM decision WHERE uid = :uid AND number = :number")
    found = connection.execute(after, {"uid": uid, "number": last + 1}).scalar_one()
    return int(found)
