"""What a look came to last of each run, so that the next one need not work it out again; disposable."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

LARGEST: Final = 10_000
"""How much is kept; what was kept longest ago is given up first."""
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """A bounded store, used by every look's thread."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._turn = threading.Lock()
        self._held: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """Return what was kept last under a key."""
        return self._held.get(key)

    def keep(self, key: Key, value: Value) -> Value:
        """Keep a value, and return it."""
        with self._turn:
            self._held.pop(key, None)
            self._held[key] = value
            if len(self._held) > self._largest:
                del self._held[next(iter(self._held))]
        return value
