"""Rows a second and memory of files of each format, checked and imported, beside reading them alone."""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from bench.outcomes.costs import serving
from bench.outcomes.server import METRIC
from bench.rows import table as as_table
from rollout.lake.engine import connect, write_columns
from rollout.outcomefile.source import Form

ROOT: Final = Path(__file__).parents[2]
WAYS: Final = ("alone", "validated", "imported")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rows files have, and how often each is read, in turns."""

    rounds_of: Mapping[int, int] = field(default_factory=lambda: {100_000: 3, 1_000_000: 1})


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way takes: medians."""

    took_s: float
    used_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Row:
    """One file, and each way to read it."""

    form: Form
    rows: int
    alone: Cost
    validated: Cost
    imported: Cost


def table(plan: Plan) -> list[Row]:
    """Measure every format and size."""
    now_us = time.time_ns() // 1_000
    with TemporaryDirectory(prefix="rollout-") as name, serving(Path(name)) as (port, _):
        return [
            Row(form, size, *_costs(file, form, size, f"http://127.0.0.1:{port}", rounds))
            for size, rounds in plan.rounds_of.items()
            for form, file in files(Path(name), size, now_us)
        ]


def files(folder: Path, size: int, now_us: int) -> Iterator[tuple[Form, Path]]:
    """Yield the same outcomes as a file of each format."""
    names = ("unit", "metric", "ts_us", "value", "key")
    rows = [(f"user-{n:08d}", METRIC, now_us - n, n % 2, f"order-{n}") for n in range(size)]
    file = folder / f"{size}.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([names, *rows])
    yield Form.CSV, file
    file = folder / f"{size}.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    yield Form.LINES, file
    file = folder / f"{size}.parquet"
    cells = zip(names, zip(*rows, strict=True), strict=True)
    columns = {
        name: np.array(column, dtype=np.int64 if name in {"ts_us", "value"} else np.object_)
        for name, column in cells
    }
    write_columns(connect(), {"columns": columns}, "SELECT * FROM columns", file)
    yield Form.PARQUET, file


def _costs(file: Path, form: Form, size: int, url: str, rounds: int) -> list[Cost]:
    """Return what each way takes, measured in turns."""
    found: dict[str, list[Cost]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            found[way].append(_once(way, file, form, size, url))
    return [
        Cost(
            statistics.median(one.took_s for one in costs),
            statistics.median(one.used_s for one in costs),
            max(one.peak_mb for one in costs),
        )
        for costs in found.values()
    ]


def _once(way: str, file: Path, form: Form, size: int, url: str) -> Cost:
    asked = [sys.executable, "-m", "bench.imports.once", way, str(file), form.value, url]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"bench: {way} {file.name}: {done.stderr[-500:]}")
    found = json.loads(done.stdout)
    if found["rows"] != size:
        raise RuntimeError(f"bench: {way} {file.name}: {found['rows']} of {size} rows")
    return Cost(found["took_s"], found["used_s"], found["peak_mb"])


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table; ratios are of the processor, to reading the same file alone."""
    heads = (
        "a file of",
        *("read alone", "memory"),
        *("validated, rows/s", "CPU for each", "ratio", "memory"),
        *("imported, rows/s", "CPU for each", "ratio", "memory"),
    )
    return as_table(heads, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    alone = [f"{row.alone.used_s / row.rows * 1e6:.2f} µs", f"{row.alone.peak_mb:.0f} MB"]
    others = [
        cell
        for cost in (row.validated, row.imported)
        for cell in (
            f"{row.rows / cost.took_s:,.0f}",
            f"{cost.used_s / row.rows * 1e6:.1f} µs",
            f"{cost.used_s / row.alone.used_s:.1f}",
            f"{cost.peak_mb:.0f} MB",
        )
    ]
    return [f"{row.rows:,} rows, {row.form}", *alone, *others]
