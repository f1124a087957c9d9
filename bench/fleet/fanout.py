"""From the call that wants another split until every node has confirmed it, over real HTTP."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.fleet.nodes import TOKEN
from bench.rows import table as as_table
from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.nodes import nodes_router
from rollout.domain.assignment import Placement, Split
from rollout.fleet.fleet import Fleet
from tests.api.serving import serving
from tests.domain.examples import POLICY

ROOT: Final = Path(__file__).parents[2]
JOINED_WITHIN_S: Final = 20.0
CONFIRMED_WITHIN_S: Final = 10.0
_KEY: Final = "ab" * 32


@dataclass(frozen=True, slots=True)
class Plan:
    """Which fleets, with how many policies, and how often one of them moves."""

    nodes: Sequence[int] = (1, 10)
    policies: Sequence[int] = (1, 100)
    changes: int = 30


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds until all of so many nodes have confirmed: the median and the slowest of all changes."""

    nodes: int
    policies: int
    median_ms: float
    slowest_ms: float


def table(plan: Plan) -> list[Row]:
    """Measure one fleet after the other."""
    return [_row(nodes, policies, plan.changes) for policies in plan.policies for nodes in plan.nodes]


def _row(nodes: int, policies: int, changes: int) -> Row:
    named = [replace(POLICY, name=f"m{n}", path=f"/m{n}", salt=str(n)) for n in range(policies)]
    placements = [Placement(policy, 1, Split(1)) for policy in named]
    took_ms = []
    with _joined(nodes) as fleet:
        _published(fleet, placements)
        for number in range(changes):
            moved = replace(placements[-1], split=Split(2 if number % 2 == 0 else 1))
            took_ms.append(1000 * _published(fleet, [*placements[:-1], moved]))
    return Row(nodes, policies, statistics.median(took_ms), max(took_ms))


def _published(fleet: Fleet, placements: Sequence[Placement]) -> float:
    """Want these placements, and return the seconds until every node serves them."""
    start_s = time.monotonic()
    answer = fleet.publish(tuple(placements))
    if not answer.is_live:
        raise RuntimeError(f"bench: {answer.refusal}")
    return time.monotonic() - start_s


@contextmanager
def _joined(nodes: int) -> Iterator[Fleet]:
    """Run a control plane here and its nodes beside it, until the block ends."""
    fleet = Fleet(
        marked=lambda: (), now_us=lambda: time.time_ns() // 1_000, confirmed_within_s=CONFIRMED_WITHIN_S
    )
    router = nodes_router(fleet, _KEY, bearer([TOKEN]), lost=lambda _node, _lost: None)
    with serving(create_app([router])) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.fleet.nodes", url, str(nodes)], cwd=ROOT, start_new_session=True
        )
        try:
            ends_s = time.monotonic() + JOINED_WITHIN_S
            while len(fleet.nodes()) < nodes:
                if time.monotonic() > ends_s:
                    raise TimeoutError("bench: the nodes do not join")
                time.sleep(0.02)
            yield fleet
        finally:
            process.kill()
            process.communicate()
            fleet.close()


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, each beside its ratio to one node with one policy."""
    first = rows[0]
    return as_table(
        ("nodes", "policies", "every node has confirmed, median", "ratio", "slowest"),
        [
            (
                *(str(row.nodes), str(row.policies), f"{row.median_ms:.1f} ms"),
                *(f"{row.median_ms / first.median_ms:.1f}", f"{row.slowest_ms:.0f} ms"),
            )
            for row in rows
        ],
    )
