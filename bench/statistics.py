"""What a look costs: 1, 100 and 1,000 experiments in one call, beside loops over peers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats as scipy_stats

from bench import timing, workload
from rollout.stats import balance, events, means, moments, slo, starts
from rollout.stats.moments import Moments
from tests.golden.peers import environments

SIZES = (1, 100, 1000)
MARGIN = 0.05
PEER_METRICS = 600


@dataclass(frozen=True, slots=True)
class Row:
    """One contender: microseconds per metric at each size, or at the one size it was measured at."""

    name: str
    microseconds: tuple[float, ...]


def main_table() -> list[Row]:
    """Measure our batch call, ours one metric at a time, a scipy loop, and gbstats in its own environment."""
    found: dict[str, list[float]] = {}
    for size in SIZES:
        metrics = size * workload.METRICS
        for name, seconds in timing.fastest(_contenders(size)).items():
            found.setdefault(name, []).append(seconds / metrics * 1e6)
    rows = [Row(name, tuple(values)) for name, values in found.items()]
    return [*rows, Row("gbstats, a loop over metrics (two tests, strata merged first)", (_gbstats(),))]


def family_table() -> list[Row]:
    """Measure one test of each family over 6,000 metrics or arms in one call."""
    random = np.random.default_rng(workload.SEED)
    count = SIZES[-1] * workload.METRICS
    units = random.integers(10_000, 1_000_000, count)
    at_limit = random.binomial(units, 0.01)
    errors, compared = random.poisson(20, (count, 3)), random.poisson(380, (count, 3))
    alive = starts.live_starts(7 * 86_400, 0)
    few = 100
    many = random.poisson(20, (few, alive.index.size, 1))
    arms = random.multinomial(10_000, [0.5, 0.5], size=(count, 6))
    calls: dict[str, Callable[[], object]] = {
        "label test, harm mixture, 3 splits": lambda: events.log_e_harm(
            errors, compared, share=[0.01, 0.05, 0.25]
        ),
        "label test, one-sided closed form": lambda: events.log_e_greater(
            errors[:, 0], compared[:, 0], share=0.05
        ),
        "limit, compliance, at the limit (the slowest place)": lambda: slo.log_e_compliance(
            at_limit, units, limit=0.01
        ),
        "limit, compliance, at half the limit": lambda: slo.log_e_compliance(
            at_limit // 2, units, limit=0.01
        ),
        "sample ratio, 6 strata": lambda: balance.log_e(arms, [0.5, 0.5]),
    }
    rows = [Row(name, (seconds / count * 1e6,)) for name, seconds in timing.fastest(calls).items()]
    harm = {
        f"harm since {alive.index.size} starts (a look at one arm after a week)": lambda: starts.strongest(
            events.log_e_harm(many, 19 * many, share=[0.05]), alive.index
        )
    }
    return rows + [Row(name, (seconds / few * 1e6,)) for name, seconds in timing.fastest(harm).items()]


def lines() -> list[str]:
    """Measure both tables and return them as Markdown."""
    return [*_by_size(main_table()), "", *_by_family(family_table())]


def _by_size(rows: list[Row]) -> list[str]:
    reference = rows[0]
    sizes = " | ".join(f"{size:,} at once" for size in SIZES)
    found = [f"| µs per metric; experiments: | {sizes} | ratio to ours | growth exponent |"]
    found.append("|---|" + "---:|" * (len(SIZES) + 2))
    for row in rows:
        cells = [f"{value:,.2f} µs" for value in row.microseconds]
        cells += ["–"] * (len(SIZES) - len(cells))
        if len(row.microseconds) == 1:
            cells = ["–", cells[0], "–"]
        is_full = len(row.microseconds) == len(SIZES)
        ratio = row.microseconds[-1] / reference.microseconds[-1]
        growth = f"{growth_exponent(row):.2f}" if is_full else "1 (a loop)"
        found.append(f"| {row.name} | " + " | ".join(cells) + f" | {ratio:,.1f} | {growth} |")
    return found


def _by_family(rows: list[Row]) -> list[str]:
    found = ["| one test, of thousands in one call | each |", "|---|---:|"]
    return found + [f"| {row.name} | {row.microseconds[0]:,.2f} µs |" for row in rows]


def growth_exponent(row: Row) -> float:
    """Return the exponent with which a call's time grows from 100 to 1,000 experiments."""
    return float(np.log10(row.microseconds[2] * SIZES[2] / (row.microseconds[1] * SIZES[1])))


def _contenders(size: int) -> dict[str, Callable[[], object]]:
    control, candidate = workload.arms(size)
    a, b = control.moments(), candidate.moments()
    calls: dict[str, Callable[[], object]] = {
        "rollout, one call from integer sums (two tests)": lambda: _look(
            control.moments(), candidate.moments()
        ),
        "rollout, one call from moments (two tests)": lambda: _look(a, b),
    }
    if size <= SIZES[1]:
        calls["rollout, a loop over metrics"] = lambda: _one_at_a_time(a, b)
        calls["scipy, a loop over metrics (one t test, strata merged first)"] = lambda: _scipy_loop(a, b)
    return calls


def _look(a: Moments, b: Moments) -> None:
    means.log_e_greater(means.contrast(a, b, null_lift=-MARGIN))
    means.log_e_less(means.contrast(a, b, null_lift=MARGIN))


def _one_at_a_time(a: Moments, b: Moments) -> None:
    for place in np.ndindex(a.n.shape[:-1]):
        _look(*(Moments(arm.n[place], arm.mean[place], arm.ss[place]) for arm in (a, b)))


def _scipy_loop(a: Moments, b: Moments) -> None:
    one, other = moments.merged(a), moments.merged(b)
    for place in np.ndindex(one.n.shape):
        scipy_stats.ttest_ind_from_stats(
            float(one.mean[place]),
            float(np.sqrt(one.variance[place])),
            int(one.n[place]),
            float(other.mean[place]),
            float(np.sqrt(other.variance[place])),
            int(other.n[place]),
            equal_var=False,
        )


def _gbstats() -> float:
    """Return gbstats' microseconds per metric, from a process in the environment that it needs (numpy 1)."""
    python = environments.ready(environments.GBSTATS)
    control, candidate = (
        moments.merged(arm.moments()) for arm in workload.arms(PEER_METRICS // workload.METRICS)
    )
    sums = [
        [
            arm.n.ravel().tolist(),
            (arm.n * arm.mean).ravel().tolist(),
            (arm.ss + arm.n * arm.mean**2).ravel().tolist(),
        ]
        for arm in (control, candidate)
    ]
    script = Path(__file__).with_name("gbstats_peer.py")
    done = subprocess.run(
        [str(python), str(script)],
        input=json.dumps(sums),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise SystemExit(f"bench: gbstats could not run: {done.stderr.strip().splitlines()[-1:]}")
    print("  gbstats measured", file=sys.stderr)
    return float(json.loads(done.stdout))
