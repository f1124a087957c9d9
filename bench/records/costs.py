"""Processor time for an event, of reading, hashing, writing and counting it, and its place on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from bench.records.workload import BEGIN_US, EXPERIMENT, PER_SECOND, lines
from bench.rows import table as as_table
from rollout.agent import converters
from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.recorder import Converter
from rollout.domain.records import Run
from rollout.intake.intake import Filed, Intake
from rollout.lake.lines import Line
from rollout.lake.segments import Kind
from rollout.lake.units import UnitHash
from rollout.store.counts import Counts, Told
from rollout.store.database import Database

GOAL_US: Final = 2.5
"""Of the recorder, for an event of a cut of half a second."""
CUT: Final = PER_SECOND // 2
"""What half a second at that rate leaves in the log."""
LARGE: Final = 50_000
ROUNDS: Final = 9
LIMIT_US: Final = 250_000
_KEY: Final = b"a key of the benchmark, 32 bytes"
_LOG: Final = "0123456789abcdef" * 2


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of traffic in cuts of one size: microseconds and bytes for an event."""

    name: str
    events: int
    decode_us: float
    hash_us: float
    recorder_us: float
    intake_us: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """What share of the requests is compared, and how many are cut at once."""

    name: str
    compared: float
    events: int


TRAFFIC: Final = (
    Traffic("all in blocks, half a second at 10,000/s", 1.0, CUT),
    Traffic("all in blocks, five seconds", 1.0, LARGE),
    Traffic("a tenth in blocks, half a second", 0.1, CUT),
)


def table(traffic: Sequence[Traffic] = TRAFFIC, rounds: int = ROUNDS) -> list[Row]:
    """Measure each kind of traffic."""
    return [_row(one, rounds) for one in traffic]


def _row(traffic: Traffic, rounds: int) -> Row:
    with TemporaryDirectory(prefix="rollout-") as folder:
        journal = Journal(Path(folder) / "splits.journal")
        journal.acknowledged(EXPERIMENT, 2, BEGIN_US - 1)
        hashing = UnitHash(_KEY)
        convert = converters.exposures(hashing, SplitHistory(Path(folder) / "splits.journal"))
        cut = lines(traffic.events, compared=traffic.compared)
        decoder = msgspec.json.Decoder(Line)
        split = cut.splitlines()
        units = [decoder.decode(line).unit for line in split]
        content, bad = convert(cut)
        if bad:
            raise RuntimeError(f"bench: {len(bad)} of its own lines are bad")
        used_us = _interleaved(
            {
                "decode": lambda: [decoder.decode(line) for line in split],
                "hash": lambda: hashing.units(units),
                "record": lambda: convert(cut),
            },
            rounds,
        )
        intake_us = _intake_us(Path(folder), traffic, convert, rounds)
    each = {name: one / traffic.events for name, one in used_us.items()}
    size = len(content) / traffic.events
    return Row(
        traffic.name,
        traffic.events,
        each["decode"],
        each["hash"],
        each["record"],
        intake_us / traffic.events,
        size,
    )


def _interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least processor time of each, in turns: what disturbs a turn only ever adds to it."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], _used_us(call))
    return best


def _used_us(call: Callable[[], object]) -> float:
    before_s = time.process_time()
    call()
    return (time.process_time() - before_s) * 1e6


def _intake_us(folder: Path, traffic: Traffic, convert: Converter, rounds: int) -> float:
    """Return the least processor time in which the intake files and counts a segment, each one anew."""
    with _opened(folder / "house") as (intake, counts):
        counts.register(Run(EXPERIMENT, 3), "p95", limit_us=LIMIT_US, share=0.05)
        best, start = float("inf"), 0
        for number in range(rounds):
            cut = lines(traffic.events, compared=traffic.compared, first=number * traffic.events)
            content, _ = convert(cut)
            told = Told(Kind.EXPOSURES, "node", _LOG, start, start + len(cut), 0, 0)
            before_s = time.process_time()
            answer = intake.accept(told, content)
            best = min(best, (time.process_time() - before_s) * 1e6)
            if not isinstance(answer, Filed):
                raise TypeError(f"bench: the intake does not file its segment: {answer}")
            start = answer.cursor
        return best


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[Intake, Counts]]:
    folder.mkdir()
    database = Database.writer(folder / "control.db")
    counts = Counts(database)
    try:
        yield Intake(folder / "lake", counts, now_us=lambda: BEGIN_US + 3_600_000_000), counts
    finally:
        database.close()


def lines_of(rows: Sequence[Row]) -> list[str]:
    """Return the table, each part beside its ratio to decoding the lines alone."""
    first = rows[0]
    verdict = "met" if first.recorder_us <= GOAL_US else "**missed**"
    heads = (
        "µs for an event; a cut of",
        "bare decoding",
        "hashing the units",
        "recorder, all of it",
        "intake",
    )
    return [
        f"The recorder takes {first.recorder_us:.2f} µs of the processor for an event, hashing included;",
        f"the goal of at most {GOAL_US:g} µs is {verdict}.",
        "",
        *as_table((*heads, "on disk"), [_cells(row) for row in rows]),
    ]


def _cells(row: Row) -> list[str]:
    parts = (row.hash_us, row.recorder_us, row.intake_us)
    ratios = [f"{part:.2f} ({part / row.decode_us:.1f})" for part in parts]
    return [row.name, f"{row.decode_us:.2f}", *ratios, f"{row.bytes:.1f} B"]
