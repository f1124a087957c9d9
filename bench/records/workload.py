"""Lines as Envoy writes them, of requests at a set rate."""

from __future__ import annotations

import json
from typing import Final

import numpy as np

SEED: Final = 3
USERS: Final = 100_000
PER_SECOND: Final = 10_000
BEGIN_US: Final = 1_790_000_000_000_000
EXPERIMENT: Final = "ranker"
FAILED_SHARE: Final = 0.01


def lines(events: int, *, compared: float, first: int = 0) -> bytes:
    """Return so many lines: this share in the blocks of two arms, and of the rest only sums are kept."""
    chance = np.random.default_rng(SEED + first)
    began_us = BEGIN_US + (first + np.arange(events)) * (1_000_000 // PER_SECOND)
    users = chance.integers(USERS, size=events)
    durations_us = chance.lognormal(np.log(12_000), 0.5, size=events).astype(int)
    in_blocks, in_candidate, failed = chance.random((3, events))
    return b"".join(
        _line(int(at_us), int(user), int(dur_us), _route(block < compared, arm < 0.5), failure < FAILED_SHARE)
        for at_us, user, dur_us, block, arm, failure in zip(
            began_us, users, durations_us, in_blocks, in_candidate, failed, strict=True
        )
    )


def _route(is_compared: bool, is_candidate: bool) -> str:  # noqa: FBT001 (two of a kind)
    if not is_compared:
        return "rest"
    return f"{'candidate1' if is_candidate else 'control'}/2"


def _line(at_us: int, user: int, dur_us: int, route: str, has_failed: bool) -> bytes:  # noqa: FBT001
    arm = route.partition("/")[0]
    line = {
        "att": 1,
        "code": 500 if has_failed else 200,
        "det": "via_upstream",
        "dur_us": dur_us,
        "flags": "-",
        "rev": "3",
        "route": f"{EXPERIMENT}/{route}",
        "served": f"{EXPERIMENT}/3/{'control' if arm == 'rest' else arm}",
        "ts": f"{at_us // 1_000_000}.{at_us % 1_000_000:06d}",
        "unit": f"user-{user:08d}",
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
