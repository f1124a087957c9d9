"""The loop's own figures as Prometheus reads them: what looks cost, how late they begin, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from rollout.controller.figures import BOUNDS_S, Figures, Spread

_ENDS = (*(f"{bound:g}" for bound in BOUNDS_S), "+Inf")


def loop_families(found: Figures) -> Sequence[Metric]:
    """Return how a loop fares."""
    return (
        _histogram("tick_seconds", "How long looks at one run took.", found.seconds),
        _histogram("tick_lag_seconds", "How long after it was due each look began.", found.lag),
        _counter("ticks_failed", "Looks of which a part did not work.", found.failures),
        _counter("ticks_refused", "Looks that were due and found every worker busy.", found.refused),
        _gauge("ticks_due", "Runs that are due and have not begun to be looked at.", found.due),
        _gauge("ticks_running", "Looks under way.", found.running),
        _gauge(
            "tick_oldest_due_seconds", "How long the one that waits longest has been due.", found.oldest_due_s
        ),
        _gauge(
            "tick_longest_running_seconds",
            "How long the oldest look has been under way.",
            found.longest_running_s,
        ),
        _gauge("runs_served", "Runs that are looked at in turns.", found.runs),
        _gauge(
            "ledger_failures",
            "How often in a row the ledger could not be read to find the runs.",
            found.ledger_failures,
        ),
    )


def _histogram(name: str, meaning: str, spread: Spread) -> Metric:
    family = HistogramMetricFamily(f"rollout_{name}", meaning)
    added_up = zip(_ENDS, accumulate(spread.counts), strict=True)
    family.add_metric([], [(end, float(count)) for end, count in added_up], spread.total_s)
    return family


def _counter(name: str, meaning: str, count: int) -> Metric:
    return CounterMetricFamily(f"rollout_{name}", meaning, value=count)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"rollout_{name}", meaning, value=value)
