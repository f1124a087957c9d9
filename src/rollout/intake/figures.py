"""What an intake took since it began, table by table; for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.lake.segments import Kind


@dataclass(frozen=True, slots=True)
class Taken:
    """What came for one table of the lake."""

    kind: Kind
    filed: int = 0
    """Segments that are in the lake and in the counts."""
    rows: int = 0
    """How many rows they had."""
    nbytes: int = 0
    """How large they were as they came, packed."""
    refused: int = 0
    """Segments that were none of this kind."""
    out_of_turn: int = 0
    """Segments that did not follow what is filed: each was cut again, and nothing is lost by it."""

    def plus(self, more: Taken) -> Taken:
        """Return both together."""
        return Taken(
            self.kind,
            self.filed + more.filed,
            self.rows + more.rows,
            self.nbytes + more.nbytes,
            self.refused + more.refused,
            self.out_of_turn + more.out_of_turn,
        )
