"""The fast counts, recounted the obvious way from the requests themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rollout.stats import quantiles
from tests.lake import oracle
from tests.lake.histories import HASHING, Request, split_at

MINUTE_US = 60_000_000
WINDOW_US = 10_000_000
LEAVES = ("rest", "promoted", "holdback")
Place = tuple[str, str, int | None]


def tallies(requests: Sequence[Request]) -> dict[tuple[str, int, int, str, int], tuple[int, int, int, int]]:
    found: Counter[tuple[str, int, int, str, int, str]] = Counter()
    for request in requests:
        experiment, arm, block = oracle.place_of(request)
        revision = int(str(request["rev"])) if experiment else 0
        minute = oracle.time_of(request) // MINUTE_US
        key = (experiment, revision, -1 if block is None else block, arm, minute)
        found[*key, "requests"] += 1
        found[*key, "errors"] += oracle.failed(request)
        found[*key, "left"] += oracle.left(request)
        found[*key, "fallbacks"] += oracle.fell_back(request)
    names = ("requests", "errors", "left", "fallbacks")
    return {
        key: (found[*key, names[0]], found[*key, names[1]], found[*key, names[2]], found[*key, names[3]])
        for key in {cell[:5] for cell in found}
    }


def durations(requests: Sequence[Request]) -> dict[str, Counter[int]]:
    """Buckets by arm."""
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for request in requests:
        duration = request["dur_us"]
        if isinstance(duration, int):
            bucket = next(
                (k for k, edge in enumerate(quantiles.EDGES_US) if duration <= edge), quantiles.BUCKETS - 1
            )
            found[oracle.place_of(request)[1]][bucket] += 1
    return found


def eligible(request: Request) -> tuple[int, int, str, int] | None:
    """Return unit, time, arm and split of a request that may count for its unit."""
    experiment, arm, block = oracle.place_of(request)
    unit, ts_us = oracle.unit_of(request), oracle.time_of(request)
    split = split_at(experiment, ts_us)
    if unit is None or split is None or not oracle.in_run(request) or (block is None and arm not in LEAVES):
        return None
    hashed = HASHING.unit(unit)
    assert hashed is not None
    return hashed, ts_us, arm, split


def errors(requests: Sequence[Request]) -> dict[int, list[tuple[int, str, int]]]:
    """Each unit's errors in order: (time, arm, split); one for each microsecond."""
    found: defaultdict[int, dict[int, tuple[int, str, int]]] = defaultdict(dict)
    for request in requests:
        seen = eligible(request)
        if seen is not None and oracle.failed(request):
            unit, ts_us, arm, split = seen
            found[unit][ts_us] = min(found[unit].get(ts_us, (ts_us, arm, split)), (ts_us, arm, split))
    return {unit: sorted(own.values()) for unit, own in found.items()}


def unit_windows(requests: Sequence[Request]) -> dict[tuple[str, int, int], tuple[int, int]]:
    """(arm, unit, window) → (requests, exceedances); `rest` has no units."""
    found: defaultdict[tuple[str, int, int], list[int]] = defaultdict(lambda: [0, 0])
    for request in requests:
        seen = eligible(request)
        if seen is not None and seen[2] != "rest":
            cell = found[seen[2], seen[0], seen[1] // WINDOW_US]
            cell[0] += 1
            cell[1] += oracle.too_slow(request)
    return {key: (x, y) for key, (x, y) in found.items()}
