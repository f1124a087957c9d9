"""Answers that are given again when a request comes again: bounded in number, size and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, text, update
from sqlmodel import Session, col, delete, select

from rollout.store.access_tables import KeptAnswerRow
from rollout.store.database import Database

KEPT_US: Final = 24 * 3_600 * 1_000_000
UNDER_WAY_US: Final = 60 * 1_000_000
"""What has not been answered after this was cut off, and may be done again."""
MOST: Final = 10_000
"""Answers that are kept; the oldest give way."""
_BEGIN: Final = text(
    "INSERT INTO kept_answer (caller, key, asked, at_us) VALUES (:caller, :key, :asked, :at_us) "
    "ON CONFLICT (caller, key) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may come again: whose, under which key, and a digest of all that it asks."""

    caller: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a key: the digest it came with, and the answer unless that is under way."""

    digest: str
    status: int | None
    headers: str
    body: str


class SqlKeptAnswers:
    """Keeps answers; each call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, asked: Asked, now_us: int) -> Kept | None:
        """Note that a request is under way and return None, or return what is known of its key already."""
        with self._database.write() as connection, Session(connection) as session:
            connection.execute(
                delete(KeptAnswerRow).where(
                    (col(KeptAnswerRow.at_us) < now_us - KEPT_US)
                    | (
                        col(KeptAnswerRow.status).is_(None)
                        & (col(KeptAnswerRow.at_us) < now_us - UNDER_WAY_US)
                    )
                )
            )
            row = {"caller": asked.caller, "key": asked.key, "asked": asked.digest, "at_us": now_us}
            added = connection.execute(_BEGIN, row)
            if added.rowcount == 1:
                self._make_room(session)
                return None
            known = session.get_one(KeptAnswerRow, (asked.caller, asked.key))
            return Kept(known.asked, known.status, known.headers or "{}", known.body or "")

    def end(self, asked: Asked, status: int, headers: str, body: str) -> None:
        """Keep a request's answer."""
        with self._database.write() as connection:
            connection.execute(
                update(KeptAnswerRow)
                .where(col(KeptAnswerRow.caller) == asked.caller, col(KeptAnswerRow.key) == asked.key)
                .values(status=status, headers=headers, body=body)
            )

    def forget(self, asked: Asked) -> None:
        """Let a request be done anew: it came to nothing."""
        with self._database.write() as connection:
            connection.execute(
                delete(KeptAnswerRow).where(
                    col(KeptAnswerRow.caller) == asked.caller, col(KeptAnswerRow.key) == asked.key
                )
            )

    def _make_room(self, session: Session) -> None:
        """Drop the oldest answers beyond the limit."""
        count = session.exec(select(func.count()).select_from(KeptAnswerRow)).one()
        if count <= MOST:
            return
        oldest = (
            select(KeptAnswerRow.at_us).order_by(col(KeptAnswerRow.at_us)).offset(count - MOST - 1).limit(1)
        )
        session.connection().execute(
            delete(KeptAnswerRow).where(
                col(KeptAnswerRow.at_us) <= session.exec(oldest).one(), col(KeptAnswerRow.status).is_not(None)
            )
        )
