"""Processor time of each proxy for a request, what fits through, and what it adds to an answer's time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from bench.processor import used_s
from bench.proxy import load, nginx
from bench.proxy.contenders import ATTEMPTS, DIRECT, OURS, PATH, PLAIN, Contender, all_of_them

GOALS: Final[Mapping[str, float]] = {OURS: 1.10, ATTEMPTS: 1.35}
PER_SECOND: Final = 800.0
QUANTILES: Final = (0.5, 0.95, 0.99)
TOO_SLOW: Final = 0.99
"""The share of a set rate that must be answered for its times to mean anything."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long it is measured: everyone has a turn in each round."""

    rounds: int = 15
    burst_s: float = 1.0
    rate_rounds: int = 5
    rate_s: float = 4.0

    @property
    def about_s(self) -> float:
        """How long all of it takes, more or less, with seven contenders."""
        return 7 * (self.rounds * self.burst_s + self.rate_rounds * self.rate_s)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn at full load; no processor time for a model server asked directly."""

    used_us: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Row:
    """One contender: its turns, and the quantiles of its answers' seconds at the set rate, by round."""

    name: str
    turns: tuple[Turn, ...]
    quantiles_s: tuple[tuple[float, ...], ...] | None

    @property
    def used_us(self) -> float:
        """Microseconds of the processor for a request."""
        return statistics.median(turn.used_us for turn in self.turns)

    @property
    def per_second(self) -> float:
        """Requests a second at full load."""
        return statistics.median(turn.per_second for turn in self.turns)

    def ratio_to(self, other: Row) -> float:
        """Return how much more processor time this takes, as the median over the rounds."""
        pairs = zip(self.turns, other.turns, strict=True)
        return statistics.median(own.used_us / its.used_us for own, its in pairs)

    def added_us(self, direct: Row) -> list[float] | None:
        """Return what it adds to each quantile, as medians over the rounds."""
        if self.quantiles_s is None or direct.quantiles_s is None:
            return None
        rounds = [
            np.subtract(own, its) for own, its in zip(self.quantiles_s, direct.quantiles_s, strict=True)
        ]
        return [float(one) for one in np.median(rounds, axis=0) * 1e6]


def table(plan: Plan) -> list[Row]:
    """Measure everyone in turns."""
    with TemporaryDirectory(prefix="rollout-") as folder, all_of_them(Path(folder)) as contenders:
        for one in contenders:
            _burst(one, plan.burst_s)  # connections are opened, caches filled
        turns = [[_burst(one, plan.burst_s) for one in contenders] for _ in range(plan.rounds)]
        rates = [[_at_rate(one, plan.rate_s) for one in contenders] for _ in range(plan.rate_rounds)]
    return [
        Row(one.name, tuple(by_round), _all_or_none(quantiles))
        for one, by_round, quantiles in zip(
            contenders, zip(*turns, strict=True), zip(*rates, strict=True), strict=True
        )
    ]


def _burst(contender: Contender, seconds: float) -> Turn:
    before_s = used_s(contender.pids)
    found = load.burst(contender.port, [PATH], seconds)
    if found.failed:
        raise RuntimeError(f"bench: {contender.name}: {found.failed} of {found.requests} requests failed")
    return Turn((used_s(contender.pids) - before_s) / found.requests * 1e6, found.per_second)


def _at_rate(contender: Contender, seconds: float) -> tuple[float, ...] | None:
    found = load.at_rate(contender.port, PATH, PER_SECOND, seconds)
    if found.failed > (1 - TOO_SLOW) * PER_SECOND * seconds:
        return None
    return tuple(float(one) for one in np.quantile(found.took_s, QUANTILES))


def _all_or_none(rounds: Sequence[tuple[float, ...] | None]) -> tuple[tuple[float, ...], ...] | None:
    kept = tuple(one for one in rounds if one is not None)
    return kept if len(kept) == len(rounds) else None


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, under how it was measured and whether the goals are met."""
    by_name = {row.name: row for row in rows}
    plain, direct = by_name[PLAIN], by_name[DIRECT]
    turns = f"each had {len(plain.turns)} turns of it"
    return [
        f"Full load: {load.generator()} over {load.CONNECTIONS} connections, {turns}.",
        f"Times: at {PER_SECOND:.0f} requests/s.",
        *_goals(by_name),
        *([] if nginx.found() else [nginx.MISSING]),
        "",
        "| | CPU per request | ratio | requests/s at full load | p50 | p95 | p99 |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_row(row, plain, direct) for row in rows),
    ]


def _goals(by_name: Mapping[str, Row]) -> list[str]:
    plain = by_name[PLAIN]
    found = [(name.replace("*", ""), by_name[name].ratio_to(plain), goal) for name, goal in GOALS.items()]
    return [
        f"{name}: {ratio:.2f} times {PLAIN}; the goal of at most {goal:.2f} is "
        f"{'met' if ratio <= goal else '**missed**'}."
        for name, ratio, goal in found
    ]


def _row(row: Row, plain: Row, direct: Row) -> str:
    used = ["–", "–"] if row is direct else [f"{row.used_us:.1f} µs", f"{row.ratio_to(plain):.2f}"]
    return "| " + " | ".join([row.name, *used, f"{row.per_second:,.0f}", *_times(row, direct)]) + " |"


def _times(row: Row, direct: Row) -> list[str]:
    """Return quantiles: of a model server asked directly as they are, of the others what they add."""
    added = row.added_us(direct)
    if added is None:
        return ["too slow"] * len(QUANTILES)
    if row is direct and row.quantiles_s is not None:
        return [f"{1e6 * statistics.median(one):.0f} µs" for one in zip(*row.quantiles_s, strict=True)]
    return [f"{one:+.0f} µs" for one in added]
