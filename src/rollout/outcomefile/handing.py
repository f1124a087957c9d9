"""Outcomes of a file through the door, in bounded batches: taken is what the door acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from rollout.api.told import Told
from rollout.client.outcomes import ToldAnswer
from rollout.outcomefile.reading import Collected, as_line
from rollout.outcomefile.record import Record
from rollout.outcomefile.repeats import Seen

BATCH_ROWS: Final = 5_000
BATCH_BYTES: Final = 4 * 2**20

Row = tuple[Record, Told, bytes]


class Door(Protocol):
    """Who takes outcomes."""

    def tell(self, lines: bytes, count: int) -> ToldAnswer:
        """Hand in so many outcomes, one on each line."""


def hand_in(rows: Iterable[tuple[Record, Told]], door: Door, collected: Collected, seen: Seen) -> None:
    """Hand in all rows; raise what the door raises, after what was taken until then is counted."""
    held: list[Row] = []
    size = 0
    for record, told in rows:
        line = as_line(told)
        if held and (len(held) == BATCH_ROWS or size + len(line) > BATCH_BYTES):
            _tell(held, door, collected, seen)
            held, size = [], 0
        held.append((record, told, line))
        size += len(line) + 1
    if held:
        _tell(held, door, collected, seen)


def _tell(rows: Sequence[Row], door: Door, collected: Collected, seen: Seen) -> None:
    answer = door.tell(b"\n".join(line for _, _, line in rows), len(rows))
    refused = {one.item: one.detail for one in answer.problems}
    if answer.refused != len(refused):
        # The door names only the first; told again in halves it names each, and takes none twice.
        half = len(rows) // 2
        _tell(rows[:half], door, collected, seen)
        _tell(rows[half:], door, collected, seen)
        return
    for item, (record, told, _) in enumerate(rows):
        if item in refused:
            collected.reject(record, refused[item])
        else:
            collected.findings.take(told)
            seen.add(record.line, told)
