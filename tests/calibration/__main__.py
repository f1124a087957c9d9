"""`make calibrate`: runs every trap at full size and writes the calibration page with its chart."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.calibration import page, power, running
from tests.calibration.registry import all_traps
from tests.calibration.trap import Finding, Trap
from tests.simulate.null_page import kept

DOCS = Path(__file__).resolve().parents[2] / "docs"
BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None, traps: tuple[Trap, ...] | None = None) -> int:
    """Run the traps; return 0 when every wrong way failed and ours held, 1 when not, 2 for a bad `--only`."""
    options = _options(arguments)
    known = all_traps() if traps is None else traps
    chosen = tuple(trap for trap in known if options.only is None or trap.number in options.only)
    if unknown := sorted(set(options.only or ()) - {trap.number for trap in known}):
        sys.stderr.write(f"--only: no trap {unknown[0]}; there are {known[0].number} to {known[-1].number}\n")
        return BAD_USAGE
    whole = traps is None and options.only is None and not options.short
    found = _run(chosen, with_studies=whole, short=options.short, jobs=options.jobs)
    _print(found, options.output)
    if whole:
        _write(found)
    return 0 if found.passed else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make calibrate", description=__doc__)
    parser.add_argument(
        "--only", type=_numbers, help="run these traps alone, e.g. 4,12; the page is not written"
    )
    parser.add_argument(
        "--short", action="store_true", help="200 replicates, as in `make test`; the page is not written"
    )
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="how to print the findings"
    )
    parser.add_argument(
        "--jobs", type=_workers, default=2, help="worker processes (default 2; 1 runs in this process)"
    )
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on (got {text})")
    return int(text)


def _run(traps: tuple[Trap, ...], *, with_studies: bool, short: bool, jobs: int) -> running.Run:
    studies = power.STUDIES if with_studies else ()
    columns = (
        TextColumn("{task.description:<56.56}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("calibrating", total=running.size(traps, studies, short=short))

        def step(title: str) -> None:
            progress.update(task, advance=1, description=title)

        return running.run(traps, studies, short=short, jobs=jobs, step=step)


def _print(found: running.Run, output: str) -> None:
    if output == "json":
        rows = [asdict(finding) for finding in found.findings]
        sys.stdout.write(json.dumps(rows, default=_plain, indent=2) + "\n")
        return
    for title, group in groupby(found.findings, key=lambda finding: f"{finding.trap}. {finding.trap_name}"):
        sys.stdout.write(title + "\n" + "".join(_line(finding) for finding in group))


def _plain(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    raise TypeError(f"cannot write {value!r} as JSON")


def _line(finding: Finding) -> str:
    value, bar = (page.number(number, finding.measure) for number in (finding.value, finding.bar))
    verdict = page.verdict_of(finding).strip("*")
    what = f"{finding.world}: {finding.claim}"
    return f"   {what:<88} {finding.kind.value:<12} {value:>8}  bar {bar:>8}  {verdict}\n"


def _write(found: running.Run) -> None:
    # The drawing library takes a second to load, and only this needs it.
    from tests.calibration import chart  # noqa: PLC0415

    DOCS.mkdir(exist_ok=True)
    (DOCS / "calibration.svg").write_text(chart.drawn(found.findings), encoding="utf-8")
    file = DOCS / "calibration.md"
    # Whole policies have a command of their own: `python -m tests.simulate`.
    policies = kept(file.read_text(encoding="utf-8")) if file.exists() else ""
    file.write_text(page.written(found) + policies, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
