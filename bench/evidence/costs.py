"""A look at the closed units at three sizes of history, beside asking all raw files again each time."""

from __future__ import annotations

import json
import math
import multiprocessing
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from bench.evidence import naive
from bench.evidence.lake import LIMIT_US, Growing, Size
from bench.evidence.question import ASKED, LONG, SHORT, Sums, answered
from rollout.lake.accounts.books import Books
from rollout.lake.segments import Kind
from rollout.stats.windows import SKEW_US
from tests.golden.peers import environments

MIB: Final = 2**20
LOOKS: Final = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How many requests there are at first, and how many come between two looks."""

    sizes: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)
    fresh: int = 100_000


@dataclass(slots=True)
class Found:
    """What one size cost: seconds, and the most memory of a process that did only this, in MiB."""

    requests: int
    looks_s: list[float] = field(default_factory=list)
    cold_s: float = 0.0
    check_s: float = 0.0
    accounts_mib: float = 0.0
    peak_mib: float = 0.0
    sql_s: float = 0.0
    sql_mib: float = 0.0
    frames_s: float = 0.0
    frames_mib: float = 0.0

    @property
    def look_s(self) -> float:
        """The median look."""
        return statistics.median(self.looks_s)


def table(plan: Plan) -> list[Found]:
    """Measure every size; each contender has a process of its own, and all must come to the same sums."""
    return [_measured(requests, plan) for requests in plan.sizes]


def exponent(found: list[Found]) -> float:
    """Return how a look grows with history: 1 is in proportion, 0 not at all."""
    first, last = found[0], found[-1]
    return math.log(last.look_s / first.look_s) / math.log(last.requests / first.requests)


def lines(plan: Plan, found: list[Found]) -> list[str]:
    """Return the table as Markdown."""
    rows = [
        f"| {one.requests:,} | {one.look_s:.2f} s | {one.cold_s:.1f} s | {one.check_s:.1f} s "
        f"| {one.accounts_mib:,.0f} MiB | {one.peak_mib:,.0f} MiB "
        f"| {one.sql_s:.1f} s ({one.sql_s / one.look_s:.0f}x), {one.sql_mib:,.0f} MiB "
        f"| {one.frames_s:.1f} s ({one.frames_s / one.look_s:.0f}x), {one.frames_mib:,.0f} MiB |"
        for one in found
    ]
    head = (
        f"A look takes in {plan.fresh:,} new requests, and answers the five metrics of one experiment; "
        f"its growth exponent is **{exponent(found):.2f}** (goal: at most 0.6)."
    )
    return [
        head,
        "",
        "| requests before | a look | made anew | `--check` | accounts | peak memory | DuckDB | pandas |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
        *rows,
    ]


def _measured(requests: int, plan: Plan) -> Found:
    found = Found(requests)
    with tempfile.TemporaryDirectory(prefix="rollout-bench-") as name:
        growing = Growing(Path(name) / "lake", Size(requests, plan.fresh))
        growing.fill()
        ours = _looks(growing, found)
        found.sql_s, found.sql_mib, by_sql = _apart(partial(naive.by_sql, growing.folder, growing.now_us))
        found.frames_s, found.frames_mib, by_frames = _by_frames(growing)
        for contender, sums in (("DuckDB", by_sql), ("pandas", by_frames)):
            if sums != ours:
                raise AssertionError(f"{contender}: {sums} is not {ours}")
    return found


def _by_frames(growing: Growing) -> tuple[float, float, Sums]:
    """Ask pandas, in its own environment."""
    files = {kind.value: [str(path) for path in sorted((growing.folder / kind).iterdir())] for kind in Kind}
    sizes = {"short": SHORT, "long": LONG}
    asked = {
        **files,
        **{name: (one.window_us, one.closes_after_us) for name, one in sizes.items()},
        "limit_us": LIMIT_US,
        "watermark_us": growing.now_us,
        "skew_us": SKEW_US,
    }
    peer = Path(__file__).with_name("frames_peer.py")
    command = [str(environments.ready(environments.FRAMES)), str(peer)]
    result = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    seconds, peak_mib, sums = json.loads(result.stdout)
    return seconds, peak_mib, {name: tuple(own) for name, own in sums.items()}


def _looks(growing: Growing, found: Found) -> Sums:
    """Have a process of its own look again and again, while the lake grows between its looks."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_look_on, args=(growing.folder, there), daemon=True
    )
    process.start()
    sums: Sums = {}
    for number in range(LOOKS + 1):
        if number:
            growing.go_on()
        here.send((growing.cursors(), growing.now_us))
        seconds, sums = here.recv()
        if number:
            found.looks_s.append(seconds)
        else:
            found.cold_s = seconds
    here.send(None)
    found.accounts_mib, found.peak_mib, found.check_s = here.recv()
    process.join()
    return sums


def _look_on(folder: Path, pipe: multiprocessing.connection.Connection) -> None:
    cursors: list[tuple[str, str, str, int]] = []
    books = Books(folder, cursors=lambda: cursors)
    while (asked := pipe.recv()) is not None:
        cursors, watermark_us = asked
        began_s = time.perf_counter()
        sums = books.ask(ASKED, partial(answered, watermark_us=watermark_us), 0)
        pipe.send((time.perf_counter() - began_s, sums))
    most_mib = peak_mib()
    began_s = time.perf_counter()
    differs = [one for compared in books.check(0) for one in compared.differs]
    if differs:
        raise AssertionError(f"the accounts differ from those made anew: {differs}")
    pipe.send((books.nbytes / MIB, most_mib, time.perf_counter() - began_s))


def peak_mib() -> float:
    """Return the most memory that this process had; `getrusage` would count what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (one for one in status.splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _apart(ask: Callable[[], Sums]) -> tuple[float, float, Sums]:
    """Return how long something takes in a process of its own, its peak of memory, and its answer."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_timed, args=(ask, there), daemon=True)
    process.start()
    found: tuple[float, float, Sums] = here.recv()
    process.join()
    return found


def _timed(ask: Callable[[], Sums], pipe: multiprocessing.connection.Connection) -> None:
    began_s = time.perf_counter()
    sums = ask()
    seconds = time.perf_counter() - began_s
    pipe.send((seconds, peak_mib(), sums))
