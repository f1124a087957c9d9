"""`make bench`: measures, prints the tables, and with --write puts them into docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

import numpy as np
import scipy

from bench import statistics, traffic
from bench.statistics import Row

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TRAFFIC_BEGIN, TRAFFIC_END = "<!-- traffic measured: begin -->", "<!-- traffic measured: end -->"


def main() -> None:
    """Measure everything and show it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    print("measuring the statistics (some seconds) …", flush=True)
    text = "\n".join(
        [_machine(), "", *_main_table(statistics.main_table()), "", *_families(statistics.family_table())]
    )
    print(text)
    print("\nmeasuring the traffic (some seconds) …", flush=True)
    changes = "\n".join(traffic.lines(traffic.table()))
    print(changes)
    if options.write:
        page = _filled(PAGE.read_text(), text, BEGIN, END)
        PAGE.write_text(_filled(page, changes, TRAFFIC_BEGIN, TRAFFIC_END))
        print(
            f"\nwritten to {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE.name}"
        )


def _filled(page: str, text: str, begin: str, end: str) -> str:
    before, rest = page.split(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"


def _machine() -> str:
    cores = os.cpu_count()
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    return f"Measured on {platform.machine()}, {cores} cores, {versions}."


def _main_table(rows: list[Row]) -> list[str]:
    reference = rows[0]
    sizes = statistics.SIZES
    lines = [
        "| µs per metric; experiments: | "
        + " | ".join(f"{size:,} at once" for size in sizes)
        + " | ratio to ours | growth exponent |",
        "|---|" + "---:|" * (len(sizes) + 2),
    ]
    for row in rows:
        cells = [f"{value:,.2f} µs" for value in row.microseconds] + ["–"] * (
            len(sizes) - len(row.microseconds)
        )
        if len(row.microseconds) == 1:
            cells = ["–", cells[0], "–"]
        full = len(row.microseconds) == len(sizes)
        ratio = row.microseconds[-1] / reference.microseconds[-1]
        growth = f"{statistics.growth_exponent(row):.2f}" if full else "1 (a loop)"
        lines.append(f"| {row.name} | " + " | ".join(cells) + f" | {ratio:,.1f} | {growth} |")
    return lines


def _families(rows: list[Row]) -> list[str]:
    lines = ["| one test, of thousands in one call | each |", "|---|---:|"]
    return lines + [f"| {row.name} | {row.microseconds[0]:,.2f} µs |" for row in rows]


if __name__ == "__main__":
    main()
