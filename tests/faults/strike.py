"""What a fault is: something that is struck, left alone for a while, and mended."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.faults.stage import Need, Stage


@dataclass(slots=True)
class Round:
    """One strike; without a count of its own, it is seen by the fallbacks that users met."""

    met: int | None = None


Strike = Callable[[Stage, random.Random], AbstractContextManager[Round]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks, and what users notice of it."""

    title: str
    sees: str
    strike: Strike
    dwell_s: tuple[float, float] = (0.2, 0.5)
    """How long it lasts, at least and at most."""
    needs: Need | None = None
