"""One DuckDB in memory: bounded, single-threaded, and never a shared file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

MEMORY_LIMIT = "1GB"


def connect(threads: int = 1, memory_limit: str = MEMORY_LIMIT) -> duckdb.DuckDBPyConnection:
    """Open an empty engine; what it holds is disposable."""
    return duckdb.connect(":memory:", config={"threads": threads, "memory_limit": memory_limit})


def connect_writer() -> duckdb.DuckDBPyConnection:
    """Open an engine that writes many small files: to plan a copy well takes longer than to do it."""
    engine = connect()
    engine.execute("PRAGMA disable_optimizer")
    return engine


def quoted(path: Path) -> str:
    """Return a path as DuckDB takes it: only as a literal."""
    return "'" + str(path).replace("'", "''") + "'"


def write_columns(
    engine: duckdb.DuckDBPyConnection,
    tables: Mapping[str, dict[str, NDArray[np.generic]]],
    select: str,
    path: Path,
) -> None:
    """Write columns as a Parquet file; `select` gives them their final types, from the tables named."""
    for name, columns in tables.items():
        engine.register(name, columns)
    try:
        engine.execute(f"COPY ({select}) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)")
    finally:
        for name in tables:
            engine.unregister(name)
