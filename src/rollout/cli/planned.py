"""A plan on a terminal, in a pipe, and for programs."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rollout.cli.output import print_json, print_table, write
from rollout.errors import printable

if TYPE_CHECKING:
    from rollout.domain.plan.plan import Plan
    from rollout.policyfile.finding import Finding
    from rollout.policyfile.reading import Reading
    from rollout.settings.settings import Color

LEAST_COLUMNS = 20


def findings(plan: "Plan", reading: "Reading") -> "list[Finding]":
    """Return the plan's advice with its places in the file."""
    from rollout.domain.plan.advice import Gravity
    from rollout.policyfile.finding import Complaint, Severity
    from rollout.policyfile.reading import located

    severities = {True: Severity.WARNING, False: Severity.ERROR}
    return [
        located(
            Complaint(
                one.path,
                one.what,
                one.remedy,
                severities[one.gravity is Gravity.CAUTION],
                shows_value=False,
            ),
            reading.file,
            reading.root,
        )
        for one in plan.advice
    ]


def print_plan(plan: "Plan", found: "Sequence[Finding]", color: "Color") -> None:
    """Print the answer, what to change, the tables, and how to read them."""
    from rollout.policyfile.finding import worded
    from rollout.render.plan_words import READING, tables

    write(f"{printable(plan.name)}: {printable(plan.answer)}\n")
    if found:
        write("".join(["\n", *(f"{worded(one)}\n" for one in found)]))
    for title, rows in tables(plan).items():
        write(f"\n{title}\n\n")
        if _fits(rows):
            print_table(rows, color)
        else:
            write("\n".join(_block(row) for row in rows))
    lines = [*plan.notes, *(READING if plan.promotes else ())]
    write("".join(["\n", *(f"{printable(line)}\n" for line in lines)]) if lines else "")


def print_document(plan: "Plan", found: "Sequence[Finding]") -> None:
    """Print the plan for programs: times in seconds since the first weight."""
    from rollout.policyfile.finding import path_text, worded

    document = asdict(plan)
    document["advice"] = [
        {
            "file": one.file,
            "line": one.line,
            "path": path_text(one.path),
            "gravity": advice.gravity,
            "what": one.what,
            "remedy": one.remedy,
            "message": worded(one),
        }
        for one, advice in zip(found, plan.advice, strict=True)
    ]
    print_json(document)


def _fits(rows: Sequence[Mapping[str, str]]) -> bool:
    """Say whether a table has room; a pipe always has."""
    if sys.stdout is None or not sys.stdout.isatty():
        return True
    widths = (max(len(name), *(len(row[name]) for row in rows)) + 2 for name in rows[0])
    return sum(widths) <= shutil.get_terminal_size().columns


def _block(row: Mapping[str, str]) -> str:
    """Return a row as lines, for a terminal too narrow for the table: its first cell stands above."""
    (_, head), *cells = row.items()
    indent = max(len(name) for name, _ in cells) + 4
    width = max(shutil.get_terminal_size().columns - indent, LEAST_COLUMNS)
    lines = [printable(head)]
    for name, cell in cells:
        first, *rest = textwrap.wrap(printable(cell), width) or [""]
        lines.append(f"  {name:<{indent - 2}}{first}".rstrip())
        lines += [f"{'':<{indent}}{line}" for line in rest]
    return "".join(f"{line}\n" for line in lines)
