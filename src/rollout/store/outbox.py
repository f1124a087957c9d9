"""The outbox: letters are claimed by one sender at a time, sent once each, tried again, and given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from rollout.domain.news import Letter, News
from rollout.ports import Delivered, Parcel
from rollout.store.database import Database
from rollout.store.enclosing import GAVE_UP, PENDING, SENT
from rollout.store.ledger_json import read

HELD_US: Final = 90_000_000
"""How long a claim lasts: longer than any sending takes, so that nobody else sends the same meanwhile."""
MOST_NEWS: Final = 100
MOST_TRIES: Final = 20
LONGEST_US: Final = 86_400_000_000
"""What could not be told within a day is of no use any more."""
KEPT_US: Final = 14 * 86_400_000_000
MOST_WAITING: Final = 5_000
MOST_KEPT: Final = 20_000
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 600.0
BURST: Final = 2
"""So many letters may go out at once before a receiver's pace counts."""
LONGEST_PROBLEM: Final = 300
PER_MINUTE: Final = 10.0
MINUTE_US: Final = 60_000_000
FAR_US: Final = 120 * MINUTE_US
"""Further ahead than any pause, any pace and anything that must first last."""


class SqlOutbox:
    """The outbox of one control database; `per_minute` says how many letters a receiver wants at most."""

    def __init__(
        self,
        database: Database,
        *,
        per_minute: Callable[[str], float | None] = lambda _: None,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._database, self._per_minute, self._most_waiting = database, per_minute, most_waiting

    def claim(self, holder: str, now_us: int) -> Parcel | None:
        """Return a letter that is due and that nobody else sends at present, or None.

        What belongs to a letter stays as it is until it was sent or given up: after a crash the same letter
        goes out again, with the same id.
        """
        times = {"now": now_us, "far": now_us + FAR_US, "pending": PENDING}
        with self._database.read() as connection:
            name = connection.execute(_DUE, times).scalar()
        if name is None:
            return None
        with self._database.write() as connection:
            held = {**times, "name": name, "holder": holder, "until": now_us + HELD_US}
            if connection.execute(_HOLD, held).rowcount != 1:
                return None
            rows = _rows(connection, {**times, "name": name})
            if not rows:
                connection.execute(_LET_GO, {"name": name, "holder": holder})
                return None
        news = tuple(read(News, row["content"]) for row in rows)
        return Parcel(name, Letter(rows[0]["letter"], news), holder, rows[0]["tries"])

    def settle(self, parcel: Parcel, delivered: Delivered, now_us: int, *, chance: float) -> None:
        """Note what came of a letter: it was sent, is tried again later, or is given up."""
        tries = parcel.tries + 1
        oldest_us = min(news.at_us for news in parcel.letter.news)
        is_over = tries >= MOST_TRIES or now_us - oldest_us >= LONGEST_US
        state = SENT if delivered.is_taken else GAVE_UP if is_over else PENDING
        why = (delivered.why or "it was not taken")[:LONGEST_PROBLEM]
        values = {
            "letter": parcel.letter.id,
            "receiver": parcel.receiver,
            "pending": PENDING,
            "state": state,
            "tries": tries,
            "now": now_us,
            "why": why,
        }
        with self._database.write() as connection:
            connection.execute({SENT: _SENT, GAVE_UP: _ENDED}.get(state, _FAILED), values)
            self._pace(connection, parcel, delivered, now_us, chance)

    def tidy(self, now_us: int) -> None:
        """Give up what waited too long, and forget what is old."""
        with self._database.write() as connection:
            newest = connection.execute(text("SELECT max(number) FROM notification")).scalar() or 0
            lapsed = {"pending": PENDING, "state": GAVE_UP, "now": now_us, "why": "it waited too long"}
            connection.execute(
                _LAPSED, {**lapsed, "before": now_us - LONGEST_US, "number": newest - self._most_waiting}
            )
            old = {"pending": PENDING, "before": now_us - KEPT_US, "number": newest - MOST_KEPT}
            connection.execute(_OLD, old)

    def _pace(
        self, connection: Connection, parcel: Parcel, delivered: Delivered, now_us: int, chance: float
    ) -> None:
        """Say from when on the receiver may be sent to again, and let others do so."""
        who = {"name": parcel.receiver, "holder": parcel.holder}
        found = connection.execute(_HELD, who).mappings().first()
        if found is None:
            return
        failures, paced_us, next_us = 0, found["paced_us"], now_us
        if delivered.is_taken:
            each_us = int(MINUTE_US / (self._per_minute(parcel.receiver) or PER_MINUTE))
            paced_us = min(max(paced_us, now_us), now_us + FAR_US) + each_us
            next_us = max(now_us, paced_us - BURST * each_us)
        else:
            failures = found["failures"] + 1
            pause_s = max(pause_after(failures, chance), delivered.retry_after_s or 0.0)
            next_us = now_us + int(pause_s * 1e6)
        connection.execute(_SETTLED, {**who, "next": next_us, "paced": paced_us, "failures": failures})


def pause_after(failures: int, chance: float) -> float:
    """Return how many seconds to wait after so many failures in a row: longer each time, never in step."""
    longest = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)
    return longest * (0.5 + 0.5 * chance)


def _rows(connection: Connection, values: dict[str, object]) -> list[RowMapping]:
    """Return what the next letter tells: one begun before, or all that is due; the least tried first."""
    first = connection.execute(_NEXT, values).mappings().first()
    if first is None:
        return []
    letter = first["letter"]
    if letter is None:
        found = connection.execute(_UNSEALED, {**values, "most": MOST_NEWS}).mappings().all()
        letter = found[0]["key"]
        connection.execute(_SEAL, {**values, "letter": letter, "last": found[-1]["number"]})
    return list(connection.execute(_LETTER, {**values, "letter": letter}).mappings())


# Whatever lies further ahead than any pause was written before a clock was set back.
_IS_FREE: Final = (
    "(next_us <= :now OR next_us > :far) "
    "AND (holder IS NULL OR held_until_us <= :now OR held_until_us > :far)"
)
_WAITING: Final = "state = :pending AND (due_us <= :now OR due_us > :far)"
_OF_LETTER: Final = "receiver = :receiver AND letter = :letter AND state = :pending"
_DUE: Final = text(
    f"SELECT name FROM receiver WHERE {_IS_FREE} AND EXISTS (SELECT 1 FROM notification "  # noqa: S608
    f"WHERE notification.receiver = receiver.name AND {_WAITING}) ORDER BY next_us, name LIMIT 1"
)
_HOLD: Final = text(
    f"UPDATE receiver SET holder = :holder, held_until_us = :until WHERE name = :name AND {_IS_FREE}"  # noqa: S608
)
_LET_GO: Final = text("UPDATE receiver SET holder = NULL WHERE name = :name AND holder = :holder")
_HELD: Final = text("SELECT paced_us, failures FROM receiver WHERE name = :name AND holder = :holder")
_SETTLED: Final = text(
    "UPDATE receiver SET holder = NULL, next_us = :next, paced_us = :paced, failures = :failures "
    "WHERE name = :name AND holder = :holder"
)
_NEXT: Final = text(
    f"SELECT letter FROM notification WHERE receiver = :name AND {_WAITING} "  # noqa: S608
    "GROUP BY letter ORDER BY min(tries), min(number) LIMIT 1"
)
_UNSEALED: Final = text(
    f"SELECT number, key FROM notification WHERE receiver = :name AND {_WAITING} "  # noqa: S608
    "AND letter IS NULL ORDER BY number LIMIT :most"
)
_SEAL: Final = text(
    f"UPDATE notification SET letter = :letter WHERE receiver = :name AND {_WAITING} "  # noqa: S608
    "AND letter IS NULL AND number <= :last"
)
_LETTER: Final = text(
    f"SELECT letter, tries, content FROM notification WHERE receiver = :name AND {_WAITING} "  # noqa: S608
    "AND letter = :letter ORDER BY number"
)
_ENDED: Final = text(
    "UPDATE notification SET state = :state, tries = :tries, ended_us = :now, problem = :why "  # noqa: S608
    f"WHERE {_OF_LETTER}"
)
_SENT: Final = text(
    "UPDATE notification SET state = :state, tries = :tries, ended_us = :now, problem = NULL "  # noqa: S608
    f"WHERE {_OF_LETTER}"
)
_FAILED: Final = text(
    f"UPDATE notification SET state = :state, tries = :tries, problem = :why WHERE {_OF_LETTER}"  # noqa: S608
)
_LAPSED: Final = text(
    "UPDATE notification SET state = :state, ended_us = :now, problem = coalesce(problem, :why) "
    "WHERE state = :pending AND (at_us < :before OR number <= :number)"
)
_OLD: Final = text(
    "DELETE FROM notification WHERE state <> :pending AND (ended_us < :before OR number <= :number)"
)
