"""Outcomes on their way into the lake: the spool's line, and its columns; values are whole micro-units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import numpy as np

from rollout.lake.engine import write_columns

MICRO: Final = 1_000_000
SELECT: Final = """
SELECT unit, metric::VARCHAR AS metric, ts_us, value_u, idem_key FROM columns ORDER BY metric, unit, ts_us
"""


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happened to one unit, as it stands in the spool: checked, and without raw ids."""

    unit: int
    metric: str
    ts_us: int
    value_u: int
    idem_key: int


_DECODER: Final = msgspec.json.Decoder(Outcome)
_ENCODER: Final = msgspec.json.Encoder()


def spooled(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as lines of the spool."""
    return _ENCODER.encode_lines(outcomes)


def read_spool(lines: bytes) -> tuple[list[Outcome], list[bytes]]:
    """Return the outcomes of complete lines, and the lines that are none."""
    found: list[Outcome] = []
    bad: list[bytes] = []
    for line in lines.removesuffix(b"\n").split(b"\n") if lines else ():
        try:
            found.append(_DECODER.decode(line))
        except msgspec.MsgspecError:
            bad.append(line)
    return found, bad


def write_outcomes(engine: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome], path: Path) -> int:
    """Write outcomes as Parquet; returns how many."""
    columns = {
        "unit": np.array([one.unit for one in outcomes], dtype=np.int64),
        "metric": np.array([one.metric for one in outcomes], dtype=np.object_),
        "ts_us": np.array([one.ts_us for one in outcomes], dtype=np.int64),
        "value_u": np.array([one.value_u for one in outcomes], dtype=np.int64),
        "idem_key": np.array([one.idem_key for one in outcomes], dtype=np.int64),
    }
    write_columns(engine, {"columns": columns}, SELECT, path)
    return len(outcomes)
