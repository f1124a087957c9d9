"""A world that broke, with fewer kinds of fault: what is not needed to break it only hides what is."""

from __future__ import annotations

from tests.simulation.life import Outcome, live
from tests.simulation.parts import SOUND, Parts


def shrunk(outcome: Outcome, parts: Parts = SOUND) -> tuple[Outcome, tuple[str, ...]]:
    """Return the same broken promise with as few kinds of fault as leaving out one by one leads to."""
    best, without = outcome, tuple[str, ...]()
    for kind in sorted(outcome.struck):
        tried = (*without, kind)
        found = live(outcome.seed, parts, without=tried)
        if found.promise == outcome.promise:
            best, without = found, tried
    return best, without
