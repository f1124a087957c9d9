"""What accounts must say, the slow and obvious way: plain Python over everything that was ever told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from rollout.domain.metric import MetricType
from rollout.lake.accounts.asked import Counter, Told, Trouble
from tests.lake import oracle
from tests.lake.histories import BEGIN_US, Request
from tests.lake.histories import Told as Outcome

ARMS = ("control", "candidate1")
BLOCKS = (1, 2)
DAY_US = 24 * 3600 * 1_000_000
Cell = tuple[int, int, int]


def analysed(requests: Sequence[Request], since_us: int) -> dict[str, oracle.Unit]:
    return oracle.units([request for request in requests if oracle.time_of(request) >= since_us])


def closed(
    units: dict[str, oracle.Unit], metric: Counter | Told, watermark_us: int
) -> dict[str, oracle.Unit]:
    needed_us = metric.window.window_us + metric.window.grace_us
    return {
        name: unit
        for name, unit in units.items()
        if len(unit.arms) == 1 and unit.enrolment + needed_us <= watermark_us
    }


def cell(unit: oracle.Unit) -> Cell:
    return unit.enrolment // DAY_US, BLOCKS.index(unit.block), ARMS.index(unit.arm)


def counted(unit: oracle.Unit, counter: Counter) -> tuple[int, ...]:
    """Return troubles and requests of a unit's window."""
    until_us = unit.enrolment + counter.window.window_us
    own = [request for request in unit.requests if oracle.time_of(request) < until_us]
    if counter.counted is Trouble.ERROR:
        return sum(map(oracle.failed, own)), len(own)
    if counter.counted is Trouble.FALLBACK:
        return sum(map(oracle.fell_back, own)), len(own)
    limit_us = counter.counted[ARMS.index(unit.arm)]
    return sum(is_slow(request, limit_us) for request in own), len(own)


def is_slow(request: Request, limit_us: int) -> bool:
    duration = request["dur_us"]
    if oracle.failed(request) or oracle.left(request) or not isinstance(duration, int):
        return True
    return duration > limit_us


def told(unit: oracle.Unit, name: str, metric: Told, outcomes: Sequence[Outcome]) -> tuple[int, ...]:
    """Return what was told of a unit in its window, for each source, and of its history."""
    from_us = unit.enrolment - 5_000_000
    until_us = unit.enrolment + metric.window.window_us
    values = [
        folded(metric, told_between(name, source, outcomes, from_us, until_us)) for source in metric.sources
    ]
    if metric.before_us is not None:
        before_us = unit.enrolment - metric.before_us
        values.append(folded(metric, told_between(name, metric.sources[0], outcomes, before_us, from_us)))
    return tuple(values)


def told_between(
    name: str, source: str, outcomes: Sequence[Outcome], from_us: int, until_us: int
) -> list[int]:
    """Return the values, in micro-units; of one key the least (time, value) counts."""
    kept: dict[str, tuple[int, float]] = {}
    for one in outcomes:
        if one.metric == source and one.unit.strip(" \t") == name and one.ts_us >= BEGIN_US - 600_000_000:
            kept[one.key] = min(kept.get(one.key, (one.ts_us, one.value)), (one.ts_us, one.value))
    return [round(value * 1_000_000) for ts_us, value in kept.values() if from_us <= ts_us < until_us]


def folded(metric: Told, values: list[int]) -> int:
    if metric.kind is MetricType.BINARY:
        return int(any(value > 0 for value in values))
    if metric.kind is MetricType.COUNT:
        return len(values)
    return sum(values) if metric.cap_u is None else min(sum(values), metric.cap_u)


def sums(
    requests: Sequence[Request],
    outcomes: Sequence[Outcome],
    metric: Counter | Told,
    watermark_us: int,
    since_us: int,
) -> dict[Cell, tuple[object, ...]]:
    """Return units, units that are not zero, sums, sums of products, and the shares in billionths."""
    by_cell: defaultdict[Cell, list[tuple[int, ...]]] = defaultdict(list)
    for name, unit in closed(analysed(requests, since_us), metric, watermark_us).items():
        by_cell[cell(unit)].append(
            counted(unit, metric) if isinstance(metric, Counter) else told(unit, name, metric, outcomes)
        )
    return {
        where: (
            len(rows),
            sum(row[0] != 0 for row in rows),
            [sum(column) for column in zip(*rows, strict=True)],
            [
                [sum(row[i] * row[j] for row in rows) for j in range(len(rows[0]))]
                for i in range(len(rows[0]))
            ],
            sum(ceil(Fraction(y, x) * 10**9) for y, x in rows) if isinstance(metric, Counter) else 0,
        )
        for where, rows in by_cell.items()
    }


def enrolled(requests: Sequence[Request], since_us: int, from_us: int) -> list[list[int]]:
    """Return distinct units of one arm, [block, arm], that came at or after a moment."""
    found = [[0, 0], [0, 0]]
    for unit in analysed(requests, since_us).values():
        if len(unit.arms) == 1 and unit.enrolment >= from_us:
            _, block, arm = cell(unit)
            found[block][arm] += 1
    return found


def two_armed(requests: Sequence[Request], since_us: int) -> int:
    return sum(len(unit.arms) > 1 for unit in analysed(requests, since_us).values())


def received(outcomes: Sequence[Outcome], source: str) -> tuple[int, ...]:
    """Return how many rows came, repeated a key, and said something else than the key's other rows.

    Of different rows: how many say what is not 0 or 1, no whole number from 0 on, and less than 0.
    """
    rows = [
        (one.unit.strip(" \t"), one.key, one.ts_us, one.value) for one in outcomes if one.metric == source
    ]
    keys = {row[:2] for row in rows}
    values = [value for *_, value in set(rows)]
    negative = sum(value < 0 for value in values)
    not_binary = sum(value not in {0, 1} for value in values)
    return len(rows), len(rows) - len(keys), len(values) - len(keys), not_binary, negative, negative
