"""How far every log is counted, and before which time everything is filed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from rollout.store.intake_tables import LogCursorRow
from rollout.store.sql import put

SILENT_US: Final = 30_000_000
"""A node silent for so long no longer holds the fast watermark."""


@dataclass(frozen=True, slots=True)
class NodeMark:
    """What one node has said: everything that began before `watermark_us` is filed."""

    node: str
    kind: str
    watermark_us: int
    seen_us: int
    bad_lines: int


def cursor(connection: Connection, node: str, log: str) -> int:
    """Return how many bytes of a log are counted; nothing of an unknown one."""
    found = connection.execute(
        text("SELECT position FROM log_cursor WHERE node = :node AND log = :log"), {"node": node, "log": log}
    ).scalar_one_or_none()
    return 0 if found is None else int(found)


def cursors(connection: Connection) -> list[tuple[str, str, str, int]]:
    """Return (kind, node, log, cursor) of every log."""
    rows = connection.execute(text("SELECT kind, node, log, position FROM log_cursor"))
    return [(kind, node, log, position) for kind, node, log, position in rows]


def filed(connection: Connection) -> tuple[tuple[str, str, str, int, int], ...]:
    """Return (kind, node, log, cursor, when it last moved) of every log."""
    rows = connection.execute(text("SELECT kind, node, log, position, updated_us FROM log_cursor"))
    return tuple((kind, node, log, position, at_us) for kind, node, log, position, at_us in rows)


def advance(connection: Connection, row: LogCursorRow) -> None:
    """Move a cursor."""
    connection.execute(put(LogCursorRow), row.model_dump())


def mark(connection: Connection, told: NodeMark) -> None:
    """Note what a node says; what was once filed stays filed, so a mark falls only from the future.

    `seen_us` is the present: no node can have filed what has not begun, and a mark that lies ahead of it
    was set by a clock that has been put right since.
    """
    connection.execute(
        text(
            "INSERT INTO node_mark (node, kind, watermark_us, seen_us, bad_lines) "
            "VALUES (:node, :kind, :watermark, :seen, :bad) ON CONFLICT (node, kind) DO UPDATE SET "
            "watermark_us = CASE WHEN node_mark.watermark_us > excluded.watermark_us "
            "AND node_mark.watermark_us <= excluded.seen_us "
            "THEN node_mark.watermark_us ELSE excluded.watermark_us END, "
            "seen_us = excluded.seen_us, "
            "bad_lines = node_mark.bad_lines + excluded.bad_lines"
        ),
        {
            "node": told.node,
            "kind": told.kind,
            "watermark": min(told.watermark_us, told.seen_us),
            "seen": told.seen_us,
            "bad": told.bad_lines,
        },
    )


def forget_node(connection: Connection, node: str) -> bool:
    """Let a node hold no watermark any longer: it drained, or a person removed it. False when unknown."""
    gone = connection.execute(text("DELETE FROM node_mark WHERE node = :node"), {"node": node})
    return gone.rowcount > 0


def nodes(connection: Connection) -> list[NodeMark]:
    """Return every node that holds a watermark."""
    rows = connection.execute(
        text("SELECT node, kind, watermark_us, seen_us, bad_lines FROM node_mark ORDER BY node, kind")
    )
    return [NodeMark(*row) for row in rows]


def watermark(
    held: Sequence[NodeMark], *, kinds: tuple[str, ...], now_us: int, seen_since_us: int | None
) -> int | None:
    """Return the time before which everything of these kinds is filed, or nothing while that is unknown.

    `seen_since_us` leaves out nodes that were silent since then; without it every node counts. A mark ahead
    of the present is no promise: a clock was set back, and the node has not been heard since. Nor is 0: a
    node that does not know yet how far its log reaches.
    """
    marks = [
        one for one in held if one.kind in kinds and (seen_since_us is None or one.seen_us >= seen_since_us)
    ]
    missing = set(kinds) - {one.kind for one in marks}
    if missing or any(one.watermark_us > now_us for one in marks):
        return None
    return min(one.watermark_us for one in marks) or None
