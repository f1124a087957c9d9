"""`rollout lake`: what is recorded, whether all of it is there, and how many files it takes."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.entries import entry, row
from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.progress import progress
from rollout.cli.root import Group, epilog
from rollout.errors import ControlPlaneFailed, ExitCode, NotReadable, Problem

if TYPE_CHECKING:
    from rollout.store.counts import Counts

BUSY_S = 30.0
"""How long another one that merges is waited for."""
data_option = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("~/.local/state/rollout"),
    show_default=True,
    help="The folder of `rollout up`: the lake is in its folder `lake`.",
)


@click.group(
    "lake",
    cls=Group,
    subcommand_metavar="VERB",
    epilog=epilog(
        {
            "rollout lake ls": "what is recorded, by experiment, node and day",
            "rollout lake check": "whether every counted byte can be read, once",
            "rollout lake compact": "fewer and larger files, now",
            "rollout lake sample ./sample": "a small made-up lake, to try things on",
        }
    ),
)
def verb() -> None:
    """Look after the lake: the recorded requests and outcomes.

    It is a folder of Parquet files that any engine reads; docs/lake.md says what stands in them.
    """


@verb.command(
    "ls",
    epilog=epilog(
        {
            "rollout lake ls": "a table",
            "rollout lake ls --data ./house --output json": "of another folder, for programs",
        }
    ),
)
@data_option
@output_option
@pass_invocation
def ls(invocation: Invocation, folder: Path, output: str | None) -> None:
    """List what is recorded: files, rows, bytes and times by experiment, node and day.

    A file may hold several experiments: its bytes are shared out by their rows.
    """
    from rollout.lake.digest import Unreadable
    from rollout.lake.engine import connect
    from rollout.lake.inventory import inventory

    within = _lake(folder)
    try:
        found = inventory(connect(), within)
    except Unreadable as error:
        remedy = "`rollout lake check` says which file it is"
        raise NotReadable(Problem(str(within), str(error), remedy)) from None
    if (output or invocation.settings.output) == "json":
        print_json([entry(one) for one in found])
    elif found:
        print_table([row(one) for one in found], invocation.settings.color)
    else:
        write("nothing is recorded yet\n")


@verb.command(
    "check",
    epilog=epilog(
        {
            "rollout lake check": "each fault with where, what, and what to do; exit code 1 if any",
            "rollout lake check --output json": "for programs",
        }
    ),
)
@data_option
@output_option
@pass_invocation
def check(invocation: Invocation, folder: Path, output: str | None) -> int:
    """Read every file, and compare names, ranges and the database's cursors.

    It changes nothing, and may run beside the control plane.
    """
    from rollout.lake import checkup
    from rollout.lake.engine import connect

    within = _lake(folder)
    with _counts(folder) as counts, progress("reading", invocation.color) as on_read:
        faults = checkup.check(
            connect(),
            within,
            None if counts is None else lambda: _by_log(counts),
            now_s=time.time(),
            on_read=on_read,
        )
    problems = [Problem(one.where, one.what, one.remedy) for one in faults]
    if (output or invocation.settings.output) == "json":
        print_json(
            {
                "is_compared_with_the_database": counts is not None,
                "faults": [{"where": one.where, "what": one.what, "remedy": one.remedy} for one in faults],
            }
        )
    else:
        write("".join(f"{problem}\n" for problem in problems))
        unknown = "" if counts else "; there is no database here to compare with"
        write(f"{len(faults) or 'no'} fault{'' if len(faults) == 1 else 's'}{unknown}\n")
    return ExitCode.FINDINGS if faults else ExitCode.FINE


@verb.command(
    "compact", epilog=epilog({"rollout lake compact": "merge what is due, also beside `rollout up`"})
)
@data_option
@pass_invocation
def compact(invocation: Invocation, folder: Path) -> None:
    """Merge small files into large ones, as the control plane does by itself.

    What was merged stays for a minute, for whoever reads it. Nothing that is not counted is touched.
    """
    from rollout.lake.compact import Compactor

    within = _lake(folder)
    with _counts(folder) as counts:
        if counts is None:
            remedy = "name the folder of `rollout up`: --data"
            raise NotReadable(Problem(str(folder), "there is no control database here", remedy))
        compactor = Compactor(within, counts.cursors, now_s=time.time)
        made = 0
        with progress("merging", invocation.color) as on_merged:
            while merged := _step(compactor.step, on_merged):
                made += merged
    write(f"made {made} file{'' if made == 1 else 's'}\n" if made else "nothing to merge\n")


@verb.command(
    "sample",
    epilog=epilog(
        {"rollout lake sample ./sample": "a policy, a log of requests, and the lake that is made of it"}
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER")
@pass_invocation
def sample(_invocation: Invocation, folder: Path) -> None:
    """Write a small made-up lake into a new folder, always the same one.

    `rollout evidence show` and any engine that reads Parquet can be tried on it; docs/evidence.md does.
    """
    import random

    from rollout.demo.sample import SEED, write_sample

    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise NotReadable(Problem(str(folder), "it exists already", "name a new folder")) from None
    written = write_sample(folder, random.Random(SEED))  # noqa: S311 (a sample, no secret)
    write(f"policy: {written.policy}\nlog:    {written.log}\nlake:   {written.lake}\n")


def _step(
    step: Callable[[Callable[[int, int], object]], int], on_merged: Callable[[int, int], object]
) -> int:
    from rollout.lake.compact import Busy

    deadline_s = time.monotonic() + BUSY_S
    while True:
        try:
            return step(on_merged)
        except Busy:
            if time.monotonic() > deadline_s:
                raise ControlPlaneFailed(
                    Problem("the lake", "another process merges its files", "try again later")
                ) from None
            time.sleep(0.1)


def _lake(folder: Path) -> Path:
    within = folder.expanduser() / "lake"
    if not within.is_dir():
        remedy = "name the folder of `rollout up`: --data"
        raise NotReadable(Problem(str(within), "there is no lake here", remedy))
    return within


@contextmanager
def _counts(folder: Path) -> "Iterator[Counts | None]":
    """Yield what is counted, for reading only; nothing where there is no database."""
    from rollout.store.counts import Counts
    from rollout.store.database import Database

    file = folder.expanduser() / "control.db"
    if not file.exists():
        yield None
        return
    database = Database.reader(file)
    try:
        yield Counts(database)
    finally:
        database.close()


def _by_log(counts: "Counts") -> Mapping[tuple[str, str, str], int]:
    return {(kind, node, log): cursor for kind, node, log, cursor in counts.cursors()}
