"""How a process comes to lead: by a lock on its own file, or by a lease in a database that several share."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.store.database import Database


@dataclass(frozen=True, slots=True)
class Held:
    """A file's lock: it is held until it is given up, and nobody else writes meanwhile."""

    database: Database
    term: int = 0

    def holds(self) -> bool:
        """Return true: the lock ends with this process and no sooner."""
        return True

    def renew(self) -> bool:
        """Return true."""
        return True

    def give_up(self) -> None:
        """Do nothing: whoever opened the file closes it."""


@dataclass(frozen=True, slots=True)
class Alone:
    """The only process that can write a database, because it holds its file's lock: nobody stands by."""

    database: Database

    def stand(self) -> Held:
        """Lead until the end."""
        return Held(self.database)

    def leader(self) -> str | None:
        """Return nothing: whoever asks is the only one."""
        return None
