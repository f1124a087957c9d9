"""Fair timing on a noisy machine: the contenders take turns, and the fastest turn of each counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

ROUNDS = 7
# One turn is repeated until it lasts this long, so that the clock's own cost disappears.
TURN_S = 0.02


def fastest(contenders: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return each contender's fastest seconds per call, measured in turns."""
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, call in contenders.items():
            best[name] = min(best[name], _turn(call, repeats[name]) / repeats[name])
    return best


def _repeats(call: Callable[[], object]) -> int:
    return max(1, int(TURN_S / max(_turn(call, 1), 1e-7)))


def _turn(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start
