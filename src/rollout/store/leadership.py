"""Who writes: one process at a time, by a lease in the database that runs out by the database's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from rollout.errors import Retry
from rollout.store.database import Database

LEASE_S: Final = 6.0
RENEW_EVERY_S: Final = 2.0
"""Twice in vain, and there is time for a third try."""
_STANDS: Final = (
    "SELECT term, holder, address, until_us > {now} AS is_held FROM leadership WHERE name = 'control'"
)
_TAKE: Final = (
    "UPDATE leadership SET term = CASE WHEN term < :floor THEN :floor ELSE term + 1 END, "
    "holder = :holder, address = :address, until_us = {now} + :lease "
    "WHERE name = 'control' AND until_us <= {now} RETURNING term"
)
_RENEW: Final = (
    "UPDATE leadership SET until_us = {now} + :lease "
    "WHERE name = 'control' AND term = :term AND holder = :holder"
)
_GIVE_UP: Final = (
    "UPDATE leadership SET until_us = 0 WHERE name = 'control' AND term = :term AND holder = :holder"
)


class Leadership:
    """One process that would write; `holder` is its own name, which no other process ever has.

    No term is lower than `floor` says: nodes that followed another database before then follow this one.
    `steady_s` is a clock that never jumps. It only says whether a lease may still be held; who holds it, the
    database says by its own clock.
    """

    def __init__(  # noqa: PLR0913 (time and names are arguments)
        self,
        database: Database,
        *,
        holder: str,
        address: str = "",
        lease_s: float = LEASE_S,
        steady_s: Callable[[], float] = time.monotonic,
        floor: Callable[[], int] = lambda: 1,
    ) -> None:
        self._floor = floor
        self._database, self._holder, self._address = database, holder, address
        self._lease_s, self._steady_s = lease_s, steady_s
        self._heard: str | None = None

    def stand(self) -> Lease | None:
        """Lead from now on, or return nothing while another one does; `Retry` when nobody can be asked."""
        asked_s = self._steady_s()
        with self._database.aside() as connection:
            now = self._database.now_sql
            row = connection.execute(text(_STANDS.format(now=now))).one()
            self._heard = row.address if row.is_held else None
            if row.is_held:
                return None
            # Whoever led may be in the midst of a transaction: that one ends first, or is ended.
            self._database.end_stalled(connection)
            connection.execute(text(_STANDS.format(now=now) + self._database.lock_sql))
            values = {"holder": self._holder, "address": self._address, "lease": self._lease_us}
            values["floor"] = self._floor()
            term = connection.execute(text(_TAKE.format(now=now)), values).scalar_one_or_none()
        if term is None:
            return None
        self._heard = self._address
        return Lease(self, self._database.fenced(int(term)), int(term), asked_s)

    def leader(self) -> str | None:
        """Return the address of whoever leads, as far as was heard last; asks nobody."""
        return self._heard

    def keep(self, term: int) -> float | None:
        """Hold a term for longer; return since when that counts, or nothing when another one leads."""
        asked_s = self._steady_s()
        statement = text(_RENEW.format(now=self._database.now_sql))
        values = {"term": term, "holder": self._holder, "lease": self._lease_us}
        with self._database.aside() as connection:
            is_kept = connection.execute(statement, values).rowcount == 1
        return asked_s if is_kept else None

    def give_up(self, term: int) -> None:
        """Let the next one lead at once; while the database is away, only when the lease has run out."""
        try:
            with self._database.aside() as connection:
                connection.execute(text(_GIVE_UP), {"term": term, "holder": self._holder})
        except Retry:
            return

    def may_hold(self, since_s: float) -> bool:
        """Return whether a lease of that age cannot have run out yet."""
        return self._steady_s() < since_s + self._lease_s

    @property
    def _lease_us(self) -> int:
        return int(self._lease_s * 1_000_000)


@dataclass(slots=True)
class Lease:
    """The right to write, until another one has a higher term."""

    _leadership: Leadership
    database: Database
    """Each of its transactions that writes checks the term, and keeps it until its end."""
    term: int
    """A number that no leader before had; it only grows."""
    _since_s: float

    def holds(self) -> bool:
        """Return whether nobody else can have been elected yet: by this machine's clock, asking nobody."""
        return self._leadership.may_hold(self._since_s)

    def renew(self) -> bool:
        """Hold for longer; return whether nobody else leads. Raises `Retry` while the database is away."""
        kept_s = self._leadership.keep(self.term)
        self._since_s = self._since_s if kept_s is None else kept_s
        return kept_s is not None

    def give_up(self) -> None:
        """Let the next one lead at once."""
        self._leadership.give_up(self.term)
