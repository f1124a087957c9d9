"""What happened in a world, in the order in which it did, for whoever has to understand why it broke."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

REMEMBERED: Final = 4_000


class Broken(BaseException):
    """A promise that did not hold; a loop that outlives every error does not outlive this."""


class Story:
    """The newest lines of what happened; nothing is put into words before somebody wants to read it."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._lines: deque[tuple[float, str, str, tuple[object, ...]]] = deque(maxlen=REMEMBERED)

    def tell(self, who: str, what: str, *about: object) -> None:
        """Note what somebody did."""
        self._lines.append((self._now_s(), who, what, about))

    def lines(self, newest: int) -> list[str]:
        """Return the newest lines."""
        chosen = list(self._lines)[-newest:]
        return [
            f"{at_s:8.2f}  {who:<10} {what} {' '.join(map(str, about))}".rstrip()
            for at_s, who, what, about in chosen
        ]
