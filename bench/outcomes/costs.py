"""Outcomes a second, and the door's processor time for each, single and in batches of 500."""

from __future__ import annotations

import gzip
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.outcomes.server import METRIC, TOKEN
from bench.processor import used_s
from bench.proxy import load
from bench.proxy.ports import answering, free_port
from bench.rows import table as as_table

ROOT: Final = Path(__file__).parents[2]
CONNECTIONS: Final = 32
"""Of singles; batches come over fewer, or what is under way at the end of a turn would weigh too much."""
FEW: Final = 4
BATCH: Final = 500
BODIES: Final = 40
"""So many different batches; singles are as many as their outcomes."""
SINGLES: Final = 5_000
PLAIN: Final = "one by one, a door that checks nothing and syncs each by itself"
SINGLE: Final = "one by one"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long everything is measured, in turns."""

    rounds: int = 7
    burst_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One way to report, and the requests that do."""

    name: str
    outcomes: int
    requests: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """One way to report: medians over the turns."""

    name: str
    per_second: float
    used_us: float


def table(plan: Plan) -> list[Row]:
    """Measure each way in turns, on one door."""
    asked = ways(now_us=time.time_ns() // 1_000)
    found: dict[str, list[tuple[float, float]]] = {one.name: [] for one in asked}
    with TemporaryDirectory(prefix="rollout-") as folder, serving(Path(folder)) as (port, pid):
        for _ in range(plan.rounds):
            for one in asked:
                found[one.name].append(_turn(one, port, pid, plan.burst_s))
    return [Row(name, *map(statistics.median, zip(*turns, strict=True))) for name, turns in found.items()]


def ways(*, now_us: int) -> list[Asked]:
    """Return every way to report, the plain door's first."""
    told = [
        {"unit": f"user-{n:08d}", "metric": METRIC, "ts_us": now_us - n, "value": n % 2, "key": f"order-{n}"}
        for n in range(BATCH * BODIES)
    ]
    batches = [told[first : first + BATCH] for first in range(0, len(told), BATCH)]
    as_lines = [b"".join(json.dumps(one).encode() + b"\n" for one in batch) for batch in batches]
    json_type, lines_type = "application/json", "application/x-ndjson"
    singles = [json.dumps(one).encode() for one in told[:SINGLES]]
    return [
        Asked(PLAIN, 1, [_request("/plain", body, json_type) for body in singles]),
        Asked(SINGLE, 1, [_request("/v1/outcomes", body, json_type) for body in singles]),
        Asked(
            f"{BATCH} at once, a JSON list",
            BATCH,
            [_request("/v1/outcomes", json.dumps(batch).encode(), json_type) for batch in batches],
        ),
        Asked(
            f"{BATCH} at once, lines",
            BATCH,
            [_request("/v1/outcomes", body, lines_type) for body in as_lines],
        ),
        Asked(
            f"{BATCH} at once, lines, gzip",
            BATCH,
            [_request("/v1/outcomes", gzip.compress(body), lines_type, "gzip") for body in as_lines],
        ),
    ]


def _request(path: str, body: bytes, content_type: str, encoding: str | None = None) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: bench",
        f"authorization: Bearer {TOKEN}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
        *([] if encoding is None else [f"content-encoding: {encoding}"]),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def _turn(asked: Asked, port: int, pid: int, seconds: float) -> tuple[float, float]:
    """Return outcomes a second and the door's microseconds for each."""
    before_s = used_s([pid])
    found = load.send(port, asked.requests, seconds, CONNECTIONS if asked.outcomes == 1 else FEW)
    if found.failed:
        raise RuntimeError(f"bench: {asked.name}: {found.failed} of {found.requests} requests failed")
    outcomes = found.requests * asked.outcomes
    return outcomes / found.took_s, (used_s([pid]) - before_s) / outcomes * 1e6


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield the port and the process of a server with both doors."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.outcomes.server", str(port), str(folder)],
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        answering(port, process)
        yield port, process.pid
    finally:
        process.kill()
        process.communicate()


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, each figure beside its ratio to the plain door."""
    plain = next(row for row in rows if row.name == PLAIN)
    heads = ("", "outcomes a second", "ratio", "CPU of the door for each", "ratio")
    return [
        f"Load from {load.generator()} over {CONNECTIONS} connections, of batches over {FEW}.",
        "",
        *as_table(heads, [_cells(row, plain) for row in rows]),
    ]


def _cells(row: Row, plain: Row) -> list[str]:
    per_second, used_us = row.per_second / plain.per_second, row.used_us / plain.used_us
    return [
        row.name,
        *(f"{row.per_second:,.0f}", f"{per_second:.1f}"),
        *(f"{row.used_us:,.1f} µs", f"{used_us:.3f}"),
    ]
