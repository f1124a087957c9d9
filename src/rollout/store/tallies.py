"""Requests by minute: for display and capacity, never for a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Final

from sqlalchemy import Connection, bindparam, text

from rollout.domain.records import Run, Tally
from rollout.store.changes import Changes
from rollout.store.intake_tables import TallyRow
from rollout.store.sql import insert_many, put_many, stage

KEPT_MINUTES: Final = 60 * 24 * 30
# Only the buckets that hold something, 10 bytes each.
_CELL: Final = Struct("<HQ")
_STAGE: Final = "run_id INTEGER, block INTEGER, arm TEXT, minute BIGINT"
_KNOWN: Final = text("""SELECT run_id, block, arm, minute, requests, errors, left_early, fallbacks, durations
FROM tallying JOIN tally USING (run_id, block, arm, minute)""")


def packed(counts: Mapping[int, int]) -> bytes:
    """Return a histogram, by bucket, as bytes."""
    return b"".join(_CELL.pack(bucket, counts[bucket]) for bucket in sorted(counts))


def unpacked(content: bytes) -> dict[int, int]:
    """Return the requests of each bucket that has any."""
    return dict(_CELL.iter_unpack(content))


def count_requests(connection: Connection, arriving: Iterable[tuple[int, Tally]], changes: Changes) -> None:
    """Add to the minutes of many runs, each tally with its run's number."""
    came = {(run_id, one.block, one.arm, one.minute): one for run_id, one in arriving}
    stage(connection, "tallying", _STAGE)
    insert_many(connection, "tallying", list(came))
    known = {(row[0], row[1], row[2], row[3]): row[4:] for row in connection.execute(_KNOWN)}
    rows = []
    for key, tally in came.items():
        requests, errors, left, fallbacks, content = known.get(key, (0, 0, 0, 0, b""))
        counts = unpacked(content)
        for bucket, answers in tally.durations:
            counts[bucket] = counts.get(bucket, 0) + answers
        sums = (requests + tally.requests, errors + tally.errors)
        beside = (left + tally.left, fallbacks + tally.fallbacks)
        rows.append((*key, *sums, *beside, packed(counts)))
        changes.requests.append((key[0], tally.arm, tally.minute, tally.requests, tally.errors))
    put_many(connection, TallyRow, rows)


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
    return {arm: (int(requests), int(errors)) for arm, requests, errors in rows}


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
        pairs = tuple(unpacked(durations).items())
        found.append(Tally(run, block, arm, minute, requests, errors, left, fallbacks, pairs))
    return tuple(found)


def requests_by_minute(
    connection: Connection, run_id: int, *, since_minute: int
) -> list[tuple[str, int, int, int]]:
    """Return (arm, minute, requests, errors) of one run since a minute."""
    rows = connection.execute(
        text(
            "SELECT arm, minute, sum(requests), sum(errors) FROM tally "
            "WHERE run_id = :run AND minute >= :since GROUP BY arm, minute"
        ),
        {"run": run_id, "since": since_minute},
    )
    return [(arm, minute, int(requests), int(errors)) for arm, minute, requests, errors in rows]


def durations(connection: Connection, run_id: int, arms: Sequence[str]) -> dict[int, int]:
    """Return the requests of some arms by bucket of their duration, of the last thirty days."""
    statement = text("SELECT durations FROM tally WHERE run_id = :run AND arm IN :arms")
    found: Counter[int] = Counter()
    asked = {"run": run_id, "arms": list(arms)}
    for (content,) in connection.execute(statement.bindparams(bindparam("arms", expanding=True)), asked):
        found.update(unpacked(content))
    return dict(found)
