"""What nodes say they lost: while a run's records are incomplete, nothing is proven by the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from rollout.domain.quality import Loss
from rollout.domain.records import Run
from rollout.store.sql import RECORDS

ANYBODYS = 0
"""The number of no run: what was lost may have been anybody's."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The sum of what one node lost of one run so far, the last of it at `to_us`; no run means anybody's."""

    run: Run | None
    kind: str
    rows: int
    to_us: int


class LeftOut(NamedTuple):
    """Since when (of lost records: until when) how much was left out."""

    since_us: int
    rows: int


def note(connection: Connection, run_id: int, node: str, lost: Lost, now_us: int) -> None:
    """Take a node's own sum, told any number of times; it never falls, even when the node forgets it.

    Of lost records `since_us` is the last moment: who began after it lacks nothing.
    """
    connection.execute(
        text(
            "INSERT INTO incomplete (run_id, what, since_us, left_out) VALUES (:run, :what, :until, :rows) "
            "ON CONFLICT (run_id, what) DO UPDATE SET "
            "since_us = CASE WHEN incomplete.since_us > excluded.since_us "
            "THEN incomplete.since_us ELSE excluded.since_us END, "
            "left_out = CASE WHEN incomplete.left_out > excluded.left_out "
            "THEN incomplete.left_out ELSE excluded.left_out END"
        ),
        {
            "run": run_id,
            "what": f"{RECORDS} {lost.kind} {node}",
            # A clock ahead of ours must not mark what has not even begun.
            "until": min(lost.to_us, now_us),
            "rows": lost.rows,
        },
    )


def lost_of(held: Mapping[int, Mapping[str, LeftOut]], run_id: int, *, since_us: int) -> tuple[Loss, ...]:
    """Return what each node lost that is, or may be, a run's, by kind and node."""
    rows: defaultdict[str, int] = defaultdict(int)
    to_us: defaultdict[str, int] = defaultdict(int)
    for owner in sorted({run_id, ANYBODYS}):
        for what, one in held.get(owner, {}).items():
            if what.startswith(f"{RECORDS} ") and one.since_us >= since_us:
                rows[what] += one.rows
                to_us[what] = max(to_us[what], one.since_us)
    named = ((what.split(" ", 2), what) for what in sorted(rows))
    return tuple(Loss(kind, node, rows[what], to_us[what]) for (_, kind, node), what in named)


def rows_of(held: Mapping[int, Mapping[str, LeftOut]]) -> dict[tuple[str, str], int]:
    """Return how many rows each node lost of all runs, by kind and node."""
    rows: defaultdict[tuple[str, str], int] = defaultdict(int)
    for found in held.values():
        for what, one in found.items():
            if what.startswith(f"{RECORDS} "):
                _, kind, node = what.split(" ", 2)
                rows[kind, node] += one.rows
    return dict(rows)


def left_out(connection: Connection) -> dict[int, dict[str, LeftOut]]:
    """Return everything that runs' counts lack, by run and what."""
    found: dict[int, dict[str, LeftOut]] = {}
    for run_id, what, since_us, rows in connection.execute(
        text("SELECT run_id, what, since_us, left_out FROM incomplete")
    ):
        found.setdefault(run_id, {})[what] = LeftOut(since_us, rows)
    return found
