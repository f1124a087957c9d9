"""What nodes say they lost: while a run's records are incomplete, nothing is proven by the rest."""

from __future__ import annotations

from dataclasses import dataclass

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


def lost_of(connection: Connection, run_id: int, *, since_us: int) -> tuple[Loss, ...]:
    """Return what each node lost that is, or may be, a run's, by kind and node."""
    found = connection.execute(
        text(
            "SELECT what, sum(left_out), max(since_us) FROM incomplete "
            "WHERE run_id IN (:run, :anybodys) AND what LIKE :records AND since_us >= :since "
            "GROUP BY what ORDER BY what"
        ),
        {"run": run_id, "anybodys": ANYBODYS, "records": f"{RECORDS} %", "since": since_us},
    )
    losses = []
    for what, rows, to_us in found:
        _, kind, node = what.split(" ", 2)
        losses.append(Loss(kind, node, int(rows), int(to_us)))
    return tuple(losses)
