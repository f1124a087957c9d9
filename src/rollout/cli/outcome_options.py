"""How `rollout outcomes` is told which files to read, and how."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from rollout.cli.output import output_option
from rollout.cli.usage import OneOf
from rollout.errors import Problem, WrongUsage

if TYPE_CHECKING:
    from rollout.outcomefile.columns import Asked
    from rollout.outcomefile.source import Form


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be read, how, and where rows go that are not taken."""

    files: "Sequence[tuple[str, Form]]"
    asked: "Asked"
    rejects: str | None


class Options(TypedDict):
    """What a person may say about files."""

    files: tuple[str, ...]
    form: str | None
    written: tuple[str, ...]
    metric: str | None
    time_unit: str | None
    utc: bool
    delimiter: str
    rejects: str | None


OPTIONS = (
    click.argument("files", metavar="FILE...", nargs=-1, required=True),
    click.option(
        "--format",
        "form",
        type=OneOf(["csv", "jsonl", "parquet"]),
        help="How it is written, whatever its name.",
    ),
    click.option(
        "--map", "written", metavar="COLUMN=NAME", multiple=True, help="The column that is one of ours."
    ),
    click.option(
        "--metric", metavar="NAME", help="The metric of every row, in a file without such a column."
    ),
    click.option(
        "--time-unit",
        type=OneOf(["s", "ms", "us", "ns"]),
        help="What bare numbers in `time` count, since 1970.",
    ),
    click.option("--utc", is_flag=True, help="Times in `time` that say no zone are UTC."),
    click.option(
        "--delimiter",
        metavar="SIGN",
        default=",",
        help="What stands between cells of CSV, or 'tab'.  [default: ,]",
    ),
    click.option(
        "--rejects", metavar="OUT", help="Write the rows that are not taken there, with the reasons."
    ),
    output_option,
)


def reads_files(verb: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add the options about files to a verb, which is given a `Plan` instead."""

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        @wraps(function)
        def planned(*arguments: object, **options: object) -> int:
            mine = {name: options.pop(name) for name in Options.__annotations__}
            return function(*arguments, plan=_plan(f"rollout outcomes {verb}", **mine), **options)  # type: ignore[arg-type]

        for option in reversed(OPTIONS):
            planned = option(planned)
        return planned

    return decorate


def _plan(where: str, **options: Unpack[Options]) -> Plan:
    """Return what was asked for, and refuse what cannot be, or would read or write a file twice."""
    from rollout.outcomefile.source import Form, form_of

    files, rejects = options["files"], options["rejects"]
    if rejects is not None and len(files) > 1:
        raise _wrong(where, "--rejects takes the rows of one FILE: name files one by one")
    if rejects is not None and _is_same(Path(rejects), Path(files[0])):
        raise _wrong(where, "--rejects names the file that is read: name another")
    if len(set(files)) < len(files):
        raise _wrong(where, "a FILE is named twice")
    form = None if options["form"] is None else Form(options["form"])
    return Plan([(name, form_of(name, form)) for name in files], _asked(where, options), rejects)


def _asked(where: str, options: Options) -> "Asked":
    from rollout.outcomefile.columns import Asked, mapped
    from rollout.outcomefile.moments import Moments, TimeUnit

    metric, unit, delimiter = options["metric"], options["time_unit"], options["delimiter"]
    sign = "\t" if delimiter.lower() in {"tab", "\\t"} else delimiter
    if len(sign) != 1 or not sign.isascii() or sign in '"\r\n':
        raise _wrong(where, f"--delimiter must be one sign, or 'tab' (got {delimiter!r})")
    if metric is not None and not metric.strip():
        raise _wrong(where, "--metric is blank")
    try:
        columns = mapped(options["written"])
    except ValueError as error:
        raise _wrong(where, str(error)) from None
    moments = Moments(None if unit is None else TimeUnit(unit), naive_is_utc=options["utc"])
    return Asked(columns, metric, moments, sign)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _wrong(where: str, what: str) -> WrongUsage:
    return WrongUsage(Problem(where, what, f"see `{where} --help`"))
