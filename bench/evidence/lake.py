"""A lake of a fortnight, as two nodes and an application hand it in: made by the engine, it may be large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from rollout.domain.records import Run
from rollout.lake.engine import quoted
from rollout.lake.segments import Kind, Segment

RUN: Final = Run("ranker", 1)
BEGIN_US: Final = 1_790_000_000_000_000
FORTNIGHT_US: Final = 14 * 86_400_000_000
ROWS_A_FILE: Final = 100_000
NODES: Final = ("node-1", "node-2")
LOG: Final = "0123456789abcdef" * 2
LIMIT_US: Final = 250_000
# Five thousand requests one after another are of a thousand units, each fifth of somebody from before; hashes
# stand in for chance.
_VISIT: Final = """
  {begin} + (number * {spacing})::BIGINT + (hash(number, 'jitter') % 2_000_000)::BIGINT AS at_us,
  (CASE WHEN hash(number, 'again') % 5 = 0 THEN hash(number, 'before') % (number // 5_000 + 1)
    ELSE number // 5_000 END * 1_000 + hash(number, 'unit') % 1_000)::BIGINT * 7_919 + 1 AS unit
"""
_EXPOSURES: Final = f"""
SELECT at_us AS ts_us, 'ranker' AS experiment, 1::INTEGER AS revision,
  (1 + hash(unit, 'block') % 2)::SMALLINT AS block,
  CASE WHEN hash(unit, 'arm') % 2 = 0 THEN 'control' ELSE 'candidate1' END AS arm, unit,
  200::SMALLINT AS status, (40_000 * exp(2.0 * (hash(number, 'slow') % 1000) / 1000))::BIGINT AS dur_us,
  1::SMALLINT AS attempts, hash(number, 'failed') % 100 = 0 AS first_failed, false AS "left",
  1::INTEGER AS split, 1::BIGINT AS requests
FROM (SELECT number, {_VISIT} FROM range({{first}}::BIGINT, {{last}}::BIGINT) numbers(number))
"""  # noqa: S608 (constants of this module)
_OUTCOMES: Final = f"""
SELECT unit, CASE WHEN hash(number, 'metric') % 3 = 0 THEN 'bought' ELSE 'revenue' END AS metric,
  at_us + (hash(number, 'when') % 7_200_000_000)::BIGINT AS ts_us,
  CASE WHEN hash(number, 'metric') % 3 = 0 THEN 1_000_000 ELSE hash(number, 'value') % 50_000_000 END::BIGINT
    AS value_u, number AS idem_key
FROM (SELECT number, {_VISIT} FROM range({{first}}::BIGINT, {{last}}::BIGINT) numbers(number))
WHERE hash(number, 'tells') % 10 < 3
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Size:
    """How many requests a lake holds when it is asked first, and how many come with each look."""

    requests: int
    fresh: int

    @property
    def spacing_us(self) -> float:
        """How far requests lie apart."""
        return FORTNIGHT_US / self.requests


class Growing:
    """A lake, and the cursors of its logs; its rows come in the order of their time."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder, self._size = folder, size
        self._engine = duckdb.connect(config={"threads": 2, "memory_limit": "4GB"})
        self._ends: dict[tuple[str, str, str], int] = {}
        for kind in Kind:
            (folder / kind).mkdir(parents=True)
        self._requests = 0

    def cursors(self) -> list[tuple[str, str, str, int]]:
        """Return how far each log is counted."""
        return [(kind, node, log, end) for (kind, node, log), end in self._ends.items()]

    @property
    def now_us(self) -> int:
        """The time of the newest request."""
        return BEGIN_US + int(self._requests * self._size.spacing_us)

    def fill(self) -> None:
        """Put in everything before the first look."""
        self._put(self._size.requests)

    def go_on(self) -> None:
        """Put in what comes between two looks."""
        self._put(self._size.fresh)

    def _put(self, requests: int) -> None:
        first, self._requests = self._requests, self._requests + requests
        numbers = {"first": first, "last": self._requests}
        shared = {"begin": BEGIN_US, "spacing": self._size.spacing_us}
        exposures, outcomes = (one.format(**numbers, **shared) for one in (_EXPOSURES, _OUTCOMES))
        self._engine.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {exposures} ORDER BY ts_us")
        for place, node in enumerate(NODES):
            self._cut(Kind.EXPOSURES, node, f"hash(unit, ts_us) % {len(NODES)} = {place}")
        self._engine.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {outcomes} ORDER BY ts_us")
        self._cut(Kind.OUTCOMES, "app-1", "true")
        self._engine.execute("DROP TABLE fresh")

    def _cut(self, kind: Kind, node: str, condition: str) -> None:
        for offset in self._offsets(condition):
            start = self._ends.get((kind, node, LOG), 0)
            end = start + ROWS_A_FILE
            target = self.folder / kind / Segment(node, LOG, start, end).name
            self._engine.execute(
                f"COPY (SELECT * FROM fresh WHERE {condition} LIMIT {ROWS_A_FILE} OFFSET {offset}) "  # noqa: S608
                f"TO {quoted(target)} (FORMAT parquet, COMPRESSION zstd)"
            )
            self._ends[kind, node, LOG] = end

    def _offsets(self, condition: str) -> Iterator[int]:
        ((rows,),) = self._engine.execute(f"SELECT count(*) FROM fresh WHERE {condition}").fetchall()  # noqa: S608
        yield from range(0, int(rows), ROWS_A_FILE)
