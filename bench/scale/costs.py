"""How soon each of many experiments is looked at again, what that costs, and how soon the API answers."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import numpy as np

from bench.fast.workload import World
from bench.proxy.ports import free_port
from bench.rows import table as as_table
from bench.scale.world import TOKEN, Looks, Seen, running
from rollout.controller.pace import Pace

GOAL_S: Final = 1.0
"""A look at each of the most experiments: what it costs, and how late it ends."""
PAUSE_S: Final = Pace().interval_s
ASKED_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: how many experiments share how many requests a second, and for how long."""

    sizes: Sequence[int] = (1, 100, 1_000)
    per_second: int = 500
    settles_s: float = 45.0
    """How long it lives before, once everything was looked at: first looks read all from the tables."""
    begins_within_s: float = 600.0
    lasts_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """One size: seconds between two looks at the same experiment, of a look, and of an answer of the API."""

    experiments: int
    looks_per_s: float
    between_s: float
    """From the end of a look to the end of the next one at the same experiment: the median."""
    most_between_s: float
    """95 of 100 came sooner: no evidence that was counted waits longer for its look."""
    against_s: float
    """From the count of evidence against a candidate to the end of the look that saw it: the median."""
    most_against_s: float
    """95 of 100 came sooner."""
    look_s: float
    cpu_s: float
    """Processor time of the control plane, counting and answering included, for each look."""
    answer_s: float
    """95 of 100 answers about one experiment came sooner."""


def table(plan: Plan) -> list[Row]:
    """Measure every size."""
    return [_row(size, plan) for size in plan.sizes]


def _row(size: int, plan: Plan) -> Row:
    port = free_port()
    with running(World(size, plan.per_second), port) as looks:
        _wait_for_first_looks(looks, size, plan.begins_within_s)
        time.sleep(plan.settles_s)
        before, known = len(looks.ticks), len(looks.told_s)
        spent_s, began_s = _spent_s(looks), time.monotonic()
        answers = _asked(port, plan.lasts_s)
        lasted_s = time.monotonic() - began_s
        seen, cpu_s = looks.ticks[before:], _spent_s(looks) - spent_s
        against_s = [seconds for _, seconds in looks.told_s[known:]]
        if looks.under_way() < size:
            raise RuntimeError(f"{size - looks.under_way()} of {size} experiments ended while measured")
    between_s = _between(seen)
    return Row(
        experiments=size,
        looks_per_s=len(seen) / lasted_s,
        between_s=float(np.median(between_s)) if between_s else math.inf,
        most_between_s=float(np.quantile(between_s, 0.95)) if between_s else math.inf,
        against_s=float(np.median(against_s)) if against_s else math.inf,
        most_against_s=float(np.quantile(against_s, 0.95)) if against_s else math.inf,
        look_s=float(np.median([one.took_s for one in seen])) if seen else math.inf,
        cpu_s=cpu_s / len(seen) if seen else math.inf,
        answer_s=float(np.quantile(answers, 0.95)),
    )


def _spent_s(looks: Looks) -> float:
    """Return the processor time of the process, without the users: who makes traffic, and who asks here."""
    return time.process_time() - looks.making_s - time.thread_time()


def _wait_for_first_looks(looks: Looks, size: int, within_s: float) -> None:
    ends_s = time.monotonic() + within_s
    while len({one.uid for one in tuple(looks.ticks)}) < size:
        if time.monotonic() > ends_s:
            raise RuntimeError(f"not all of {size} experiments were looked at within {within_s:g} s")
        time.sleep(0.5)


def _between(seen: Sequence[Seen]) -> list[float]:
    """Return the seconds between the ends of two looks at the same experiment."""
    last: dict[str, float] = {}
    found = []
    for one in seen:
        if one.uid in last:
            found.append(one.ended_s - last[one.uid])
        last[one.uid] = one.ended_s
    return found


def _asked(port: int, lasts_s: float) -> list[float]:
    """Ask about one experiment again and again, and return how long the answers took."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    found, ends_s = [], time.monotonic() + lasts_s
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=60
    ) as api:
        while time.monotonic() < ends_s:
            began_s = time.monotonic()
            api.get("/v1/experiments/experiment0").raise_for_status()
            found.append(time.monotonic() - began_s)
            time.sleep(ASKED_EVERY_S)
    return found


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, and whether the goal is met."""
    most = rows[-1]
    cost_s, late_s = most.cpu_s * most.experiments, max(most.between_s - PAUSE_S, 0.0)
    fast, whole = (
        "met" if one <= GOAL_S else "**missed**" for one in (most.most_against_s, max(cost_s, late_s))
    )
    heads = (
        "experiments",
        "looks a second",
        "evidence against one → looked at: median",
        "95 %",
        "between two looks at one: median",
        "95 %",
        "one look (median)",
        "processor time for each look",
        "for a look at each",
        "an answer about one (95 %)",
    )
    return [
        f"With {most.experiments:,} experiments, evidence against a candidate has been looked at after",
        f"{most.most_against_s:.2f} s in 95 of 100 cases; the goal of at most {GOAL_S:g} s is {fast}.",
        f"A look at each of {most.experiments:,} experiments costs {cost_s:.2f} s of the processor,",
        f"and ends {late_s:.2f} s after it was due; the goal of at most {GOAL_S:g} s for both is {whole}."
        + _growth(rows),
        "",
        *as_table(heads, [_cells(row) for row in rows]),
    ]


def _growth(rows: Sequence[Row]) -> str:
    """Say with what power of the experiments a pass's processor time grows, between the last two sizes."""
    if len(rows) < 2:
        return ""
    less, more = rows[-2:]
    times = (more.cpu_s * more.experiments) / (less.cpu_s * less.experiments)
    power = math.log(times) / math.log(more.experiments / less.experiments)
    return f" Its processor time grows with their number to the power of {power:.2f}."


def _cells(row: Row) -> list[str]:
    return [
        f"{row.experiments:,}",
        f"{row.looks_per_s:,.1f}",
        f"{row.against_s:,.2f} s",
        f"{row.most_against_s:,.2f} s",
        f"{row.between_s:,.2f} s",
        f"{row.most_between_s:,.2f} s",
        f"{1000 * row.look_s:,.1f} ms",
        f"{1000 * row.cpu_s:,.2f} ms",
        f"{row.cpu_s * row.experiments:,.2f} s",
        f"{1000 * row.answer_s:,.0f} ms",
    ]
