"""How we wait for another process: look soon, then less often, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_FIRST_PAUSE_S: Final = 0.001
_LONGEST_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Patience:
    """A clock and a way to pass time."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def tries(self, within_s: float) -> Iterator[None]:
        """Yield at once, then after pauses that double from 1 to 20 ms, until the time is up."""
        deadline = self.now() + within_s
        pause = _FIRST_PAUSE_S
        yield
        while self.now() < deadline:
            self.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            yield
