"""Small tables that every look asks for, kept until this process changes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection

from rollout.store.database import Database

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """Reads once, and again after `forget`; beside another process that writes, it reads every time."""

    def __init__(self, database: Database, read: Callable[[Connection], Value]) -> None:
        self._database, self._read = database, read
        self._changes = 0
        self._held: tuple[int, Value] | None = None

    def get(self) -> Value:
        """Return what stands there now."""
        held, changes = self._held, self._changes
        if held is not None and held[0] == changes and self._database.is_writer:
            return held[1]
        with self._database.read() as connection:
            value = self._read(connection)
        # What was read while somebody changed it belongs to the time before, and is read again.
        self._held = (changes, value)
        return value

    def forget(self) -> None:
        """Have it read again: a transaction has just changed it."""
        self._changes += 1
