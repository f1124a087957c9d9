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
from tests.pipeline import page as pipeline_page
from tests.pipeline import traps as pipeline_traps
from tests.simulate.null_page import kept

DOCS = Path(__file__).resolve().parents[2] / "docs"
BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None, traps: tuple[Trap, ...] | None = None) -> int:
    """Run the traps; return 0 when every wrong way failed and ours held, 1 when not, 2 for a bad `--only`."""
    options = _options(arguments)
    known = _known(options) if traps is None else traps
    chosen = tuple(trap for trap in known if options.only is None or trap.number in options.only)
    if unknown := sorted(set(options.only or ()) - {trap.number for trap in known}):
        sys.stderr.write(f"--only: no trap {unknown[0]}; there are {known[0].number} to {known[-1].number}\n")
        return BAD_USAGE
    whole = (
        traps is None and options.only is None and (not options.short or (options.pipeline and options.write))
    )
    found = _run(chosen, options, with_studies=whole and not options.pipeline)
    _print(found, options.output)
    if whole:
        (_write_pipeline if options.pipeline else _write)(found)
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
    parser.add_argument(
        "--pipeline",
        action="store_true",
        help="run them through the whole pipeline instead: an hour or more in full, a section of the page",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="with --pipeline --short: write the section of the page all the same",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FOLDER",
        help="keep every batch there, and do not run again what it holds; another code needs another folder",
    )
    return parser.parse_args(arguments)


def _known(options: argparse.Namespace) -> tuple[Trap, ...]:
    return all_traps(pipeline_traps) if options.pipeline else all_traps()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on (got {text})")
    return int(text)


def _run(traps: tuple[Trap, ...], options: argparse.Namespace, *, with_studies: bool) -> running.Run:
    studies = power.STUDIES if with_studies else ()
    columns = (
        TextColumn("{task.description:<56.56}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("calibrating", total=running.size(traps, studies, short=options.short))

        def step(title: str) -> None:
            progress.update(task, advance=1, description=title)

        return running.run(
            *(traps, studies), short=options.short, jobs=options.jobs, step=step, kept=options.resume
        )


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
    # The pipeline is run on request, whole policies by a command of their own: `python -m tests.simulate`.
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(page.written(found) + pipeline_page.kept(before) + kept(before), encoding="utf-8")


def _write_pipeline(found: running.Run) -> None:
    file = DOCS / "calibration.md"
    text = pipeline_page.section(found.findings)
    file.write_text(pipeline_page.with_section(file.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
