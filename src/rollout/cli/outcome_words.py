"""What `rollout outcomes` says of files: each problem with its line, then what was counted."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from rollout.cli.output import print_json, write
from rollout.errors import ExitCode, nearest, printable

if TYPE_CHECKING:
    from rollout.outcomefile.findings import Findings

MANY_METRICS = 10
MICRO = 1_000_000


def report(found: "Sequence[Findings]", note: str | None, doing: str, *, form: str) -> int:
    """Print what was found in files, and return the exit code."""
    if form == "json":
        is_taken = doing == "taken"
        print_json({"files": [_entry(one, doing) for one in found], "note": note, "is_import": is_taken})
    else:
        write("".join(f"{printable(line)}\n" for one in found for line in _lines(one, doing)))
        if note is not None and any(one.rows for one in found):
            write(f"{printable(note)}\n")
    for one in found:
        for problem in one.failures:
            click.echo(str(problem), err=True)
        if one.was_stopped:
            click.echo(
                f"{one.name}: {_count(one.good, 'row')} taken so far; start again: each counts once", err=True
            )
    if any(one.failures for one in found):
        return ExitCode.COULD_NOT_RUN
    return ExitCode.FINE if all(one.is_fine for one in found) else ExitCode.FINDINGS


def _lines(one: "Findings", doing: str) -> Iterator[str]:
    place = "row" if one.form.value == "parquet" else "line"
    for wrong in one.wrong:
        yield f"{one.name}:{wrong.line}: {wrong.why}"
    if one.rejected > len(one.wrong):
        yield f"{one.name}: and {one.rejected - len(one.wrong):,} more, {_by_kind(one)} in all"
    for conflict in one.repeats.shown:
        yield (
            f"{one.name}:{conflict.line}: the unit, metric and key of {place} {conflict.first}, "
            "but another time or value: the least time, then the least value, counts"
        )
    if one.repeats.conflicts > len(one.repeats.shown):
        yield f"{one.name}: and {one.repeats.conflicts - len(one.repeats.shown):,} more of these"
    if one.rows or not one.failures:
        yield f"{one.name}: {_count(one.rows, 'row')}, {one.good:,} {doing}, {one.rejected:,} rejected"
    for metric, count in one.metrics.most_common(MANY_METRICS):
        yield f"  {metric}: {count:,}"
    if len(one.metrics) > MANY_METRICS:
        yield f"  and {len(one.metrics) - MANY_METRICS} more metrics"
    if one.first_us is not None and one.last_us is not None:
        yield f"  from {_moment(one.first_us)} to {_moment(one.last_us)}"
    yield from (f"  {remark}" for remark in _remarks(one))


def _remarks(one: "Findings") -> Iterator[str]:
    if one.repeats.same:
        yield f"{_count(one.repeats.same, 'row')} said before, word for word: counted once"
    if not one.repeats.is_complete:
        yield "rows were not all compared with each other: no room for temporary files"
    if one.good and one.keyless == one.good:
        yield "no row has a key: time and value are the key, so equal rows of one unit and metric count once"
    elif one.keyless:
        yield f"{_count(one.keyless, 'row')} without a key: time and value are theirs"
    if one.unused:
        guess = nearest("key", one.unused) if one.keyless else None
        hint = "" if guess is None else f"; --map '{guess}=key' if that is the key"
        yield f"columns that are not used: {', '.join(one.unused)}{hint}"


def _entry(one: "Findings", doing: str) -> dict[str, object]:
    """Return what was found, for programs."""
    return {
        "file": one.name,
        "format": one.form.value,
        "rows": one.rows,
        doing: one.good,
        "rejected": one.rejected,
        "rejected_by": dict(one.kinds),
        "problems": [{"line": wrong.line, "what": wrong.why} for wrong in one.wrong],
        "repeats": one.repeats.same,
        "conflicts": one.repeats.conflicts,
        "conflicting_lines": [[conflict.first, conflict.line] for conflict in one.repeats.shown],
        "all_rows_were_compared": one.repeats.is_complete,
        "without_key": one.keyless,
        "metrics": dict(one.metrics),
        "first_us": one.first_us,
        "last_us": one.last_us,
        "unused_columns": list(one.unused),
        "failures": [
            {"where": problem.where, "what": problem.what, "remedy": problem.remedy}
            for problem in one.failures
        ],
    }


def _by_kind(one: "Findings") -> str:
    return ", ".join(f"{part} {count:,}" for part, count in one.kinds.most_common())


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // MICRO, tz=UTC).isoformat().replace("+00:00", "Z")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
