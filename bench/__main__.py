"""`make bench`: measures, prints the tables, and with --write puts them into docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
from contextlib import closing
from pathlib import Path

import numpy as np
import scipy

from bench import statistics, traffic
from bench.harm import runs as harm
from bench.harm import table as harm_table
from bench.statistics import Row

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TRAFFIC_BEGIN, TRAFFIC_END = "<!-- traffic measured: begin -->", "<!-- traffic measured: end -->"
HARM_BEGIN, HARM_END = "<!-- harm measured: begin -->", "<!-- harm measured: end -->"


def main() -> None:
    """Measure everything and show it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--harm", action="store_true", help="measure only how long harm lasts (minutes)")
    parser.add_argument("--runs", type=int, default=harm.RUNS, help="with --harm: how often")
    parser.add_argument("--quiet-s", type=float, default=harm.QUIET_S, help="with --harm: quiet before")
    options = parser.parse_args()
    if options.harm:
        _harm(harm.Plan(options.runs, options.quiet_s), is_written=options.write)
        return
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
        _write(_filled(page, changes, TRAFFIC_BEGIN, TRAFFIC_END))


def _harm(plan: harm.Plan, *, is_written: bool) -> None:
    """Measure how long harm lasts, and show each run as it ends."""
    print(f"measuring {plan.runs} runs, each about {plan.quiet_s + 11:.0f} s …", flush=True)
    found = []
    with closing(harm.courses(plan)) as courses:
        for number, course in enumerate(courses, start=1):
            found.append(course)
            print(harm_table.line(number, course), flush=True)
    text = "\n".join([_machine(), *harm_table.lines(plan, found)])
    print(text)
    if is_written:
        _write(_filled(PAGE.read_text(), text, HARM_BEGIN, HARM_END))


def _write(page: str) -> None:
    PAGE.write_text(page)
    print(f"\nwritten to {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE.name}")


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
