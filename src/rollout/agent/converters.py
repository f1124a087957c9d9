"""How each kind of log becomes a segment's content."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from rollout.agent.journal import SplitHistory
from rollout.agent.recorder import Converter
from rollout.lake.engine import connect_writer
from rollout.lake.outcomes import read_spool, write_outcomes
from rollout.lake.record import Recorder, write_exposures
from rollout.lake.units import UnitHash


def exposures(hashing: UnitHash, history: SplitHistory) -> Converter:
    """Return the converter of Envoy's access log; each record gets the split that was live at its begin."""
    engine, recorder = connect_writer(), Recorder(hashing, history.splits_at)

    def convert(lines: bytes) -> tuple[bytes, list[bytes]]:
        history.refresh()
        recorded = recorder.read(lines)
        return _content(lambda path: write_exposures(engine, recorded, path)), recorded.bad

    return convert


def outcomes() -> Converter:
    """Return the converter of the outcomes' spool."""
    engine = connect_writer()

    def convert(lines: bytes) -> tuple[bytes, list[bytes]]:
        found, bad = read_spool(lines)
        return _content(lambda path: write_outcomes(engine, found, path)), bad

    return convert


def _content(write: Callable[[Path], object]) -> bytes:
    # DuckDB writes Parquet to files only; the log is what is durable, so this one need not be.
    with tempfile.TemporaryDirectory(prefix="rollout-") as folder:
        path = Path(folder) / "segment.parquet"
        write(path)
        return path.read_bytes()
