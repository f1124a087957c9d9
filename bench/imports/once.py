"""One reading of one file in a process of its own, so that its memory is its own."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from bench.outcomes.server import METRIC, TOKEN
from rollout.client.connection import Connection
from rollout.client.outcomes import OutcomesDoor
from rollout.lake.outcome_files import ParquetFile
from rollout.outcomefile.columns import Asked
from rollout.outcomefile.reading import Standard, wanted_of
from rollout.outcomefile.source import Form
from rollout.outcomefile.whole import checking, found_in, handing

WANTED: Final = wanted_of({METRIC: ["DID_IT"]})


def alone(file: Path, form: Form) -> int:
    """Read a file with the library that reads it, and nothing else; return its rows."""
    match form:
        case Form.CSV:
            with file.open(encoding="utf-8", newline="") as stream:
                return sum(1 for _ in csv.reader(stream)) - 1
        case Form.LINES:
            decode = msgspec.json.Decoder().decode
            with file.open("rb") as stream:
                return sum(1 for line in stream if decode(line))
        case Form.PARQUET:
            return sum(1 for _ in ParquetFile(file))


def validated(file: Path, form: Form) -> int:
    """Check a file."""
    standard = Standard(WANTED, lambda: time.time_ns() // 1_000)
    return found_in((str(file), form), Asked(), checking(standard)).good


def imported(file: Path, form: Form, url: str) -> int:
    """Check a file and hand it in."""
    with OutcomesDoor(Connection(url, token=TOKEN)) as door:
        standard = Standard(wanted_of(door.wanted().metrics), lambda: time.time_ns() // 1_000)
        return found_in((str(file), form), Asked(), handing(standard, door)).good


def main() -> None:
    """Do what is named, and print what it took."""
    name, path, written, url = sys.argv[1:]
    file, form = Path(path), Form(written)
    work: Mapping[str, Callable[[], int]] = {
        "alone": lambda: alone(file, form),
        "validated": lambda: validated(file, form),
        "imported": lambda: imported(file, form, url),
    }
    began_s, used_s = time.perf_counter(), time.process_time()
    rows = work[name]()
    took = {
        "rows": rows,
        "took_s": time.perf_counter() - began_s,
        "used_s": time.process_time() - used_s,
        "peak_mb": _peak_mb(),
    }
    sys.stdout.write(json.dumps(took))


def _peak_mb() -> float:
    # What getrusage says begins with what the parent had when it forked.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
