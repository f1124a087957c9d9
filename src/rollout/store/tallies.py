"""Requests by minute: for display and capacity, never for a decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection, text

from rollout.domain.records import Run, Tally
from rollout.stats import quantiles
from rollout.stats.arrays import IntArray
from rollout.store.intake_tables import TallyRow
from rollout.store.sql import put

KEPT_MINUTES: Final = 60 * 24 * 30
# Only the buckets that hold something, 10 bytes each.
_SPARSE: Final = np.dtype([("bucket", "<u2"), ("requests", "<u8")])
_SELECT: Final = text(
    "SELECT requests, errors, left_early, fallbacks, durations FROM tally "
    "WHERE run_id = :run_id AND block = :block AND arm = :arm AND minute = :minute"
)


def packed(counts: IntArray) -> bytes:
    """Return a histogram as bytes."""
    buckets = np.flatnonzero(counts)
    table = np.zeros(len(buckets), dtype=_SPARSE)
    table["bucket"], table["requests"] = buckets, counts[buckets]
    return table.tobytes()


def unpacked(content: bytes) -> IntArray:
    """Return the counts of all 807 buckets."""
    table = np.frombuffer(content, dtype=_SPARSE)
    counts = np.zeros(quantiles.BUCKETS, dtype=np.int64)
    counts[table["bucket"]] = table["requests"]
    return counts


def count_requests(connection: Connection, run_id: int, tallies: Sequence[Tally]) -> None:
    """Add to the minutes of one run."""
    rows = []
    for tally in tallies:
        key = {"run_id": run_id, "block": tally.block, "arm": tally.arm, "minute": tally.minute}
        old = connection.execute(_SELECT, key).one_or_none() or (0, 0, 0, 0, b"")
        counts = unpacked(old[4])
        for bucket, requests in tally.durations:
            counts[bucket] += requests
        rows.append(
            {
                **key,
                "requests": old[0] + tally.requests,
                "errors": old[1] + tally.errors,
                "left_early": old[2] + tally.left,
                "fallbacks": old[3] + tally.fallbacks,
                "durations": packed(counts),
            }
        )
    if rows:
        connection.execute(put(TallyRow), rows)


def forget_tallies(connection: Connection, *, now_minute: int) -> None:
    """Delete minutes of more than thirty days ago."""
    connection.execute(
        text("DELETE FROM tally WHERE minute < :oldest"), {"oldest": now_minute - KEPT_MINUTES}
    )


def request_totals(connection: Connection, run_id: int) -> dict[str, tuple[int, int]]:
    """Return (requests, errors) of each arm, of the last thirty days."""
    rows = connection.execute(
        text("SELECT arm, sum(requests), sum(errors) FROM tally WHERE run_id = :run GROUP BY arm"),
        {"run": run_id},
    )
    return {arm: (requests, errors) for arm, requests, errors in rows}


def tallies(connection: Connection, run_id: int, run: Run, *, since_minute: int) -> tuple[Tally, ...]:
    """Return the minutes of one run since one of them."""
    rows = connection.execute(
        text(
            "SELECT block, arm, minute, requests, errors, left_early, fallbacks, durations FROM tally "
            "WHERE run_id = :run AND minute >= :since ORDER BY minute, arm, block"
        ),
        {"run": run_id, "since": since_minute},
    )
    found = []
    for block, arm, minute, requests, errors, left, fallbacks, durations in rows:
        sparse = np.frombuffer(durations, dtype=_SPARSE)
        pairs = tuple(zip(sparse["bucket"].tolist(), sparse["requests"].tolist(), strict=True))
        found.append(Tally(run, block, arm, minute, requests, errors, left, fallbacks, pairs))
    return tuple(found)
