"""`rollout replay`: decisions computed once more from what they rested on, and whether they agree."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.names import experiment_name
from rollout.cli.output import output_option, print_json, write
from rollout.cli.root import epilog
from rollout.cli.usage import misused
from rollout.errors import ExitCode, NotReadable, Problem, RequestRefused, printable

if TYPE_CHECKING:
    from rollout.client.records import ReplayAnswer
    from rollout.settings.settings import Settings

DATABASE_FILE = "control.db"


@dataclass(frozen=True, slots=True)
class Kept:
    """Decisions that can be recomputed: how many there are, and how to recompute one."""

    total: int
    replay: "Callable[[int], ReplayAnswer]"
    """Raises `RequestRefused` for one of which no more is kept."""


@click.command(
    "replay",
    epilog=epilog(
        {
            "rollout replay churn-v2": "the newest decision",
            "rollout replay churn-v2 12": "the twelfth; `rollout explain` shows the numbers",
            "rollout replay churn-v2 --all": "every decision of which enough is kept",
            "rollout replay churn-v2 --all --database rollout-data": "from a folder, without a control plane",
        }
    ),
)
@experiment_name
@click.argument("number", metavar="[NUMBER]", type=click.IntRange(min=1), required=False)
@click.option("--all", "is_all", is_flag=True, help="Every decision, the oldest first.")
@click.option("--database", metavar="FOLDER", help="The folder of `rollout up`, or a copy of it.")
@output_option
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    name: str,
    number: int | None,
    is_all: bool,  # noqa: FBT001 (the command line passes it by name)
    database: str | None,
    output: str | None,
) -> ExitCode:
    """Recompute decisions from their records, and say whether they agree.

    A record holds the run as it stood, the evidence, the queries as resolved and the rule that fired. Exit
    code 1 when something else comes out. Of old decisions that changed nothing the record is given up.
    """
    if is_all and number is not None:
        raise misused("replay", "a number and --all exclude each other", "leave one out")
    opened = _asked(invocation.settings, name) if database is None else _opened(Path(database), name)
    with opened as kept:
        if not kept.total:
            raise misused("replay", f"{name} has no decision yet", "wait for its first look")
        if is_all:
            found, gone = _every(kept)
        else:
            found, gone = [kept.replay(number or kept.total)], []
    if (output or invocation.settings.output) == "json":
        print_json({"replayed": [one.model_dump(mode="json") for one in found], "kept_no_more": gone})
    else:
        write("".join(f"{printable(line)}\n" for line in _told(found, gone)))
    return ExitCode.FINE if all(one.agrees for one in found) else ExitCode.FINDINGS


def _every(kept: Kept) -> "tuple[list[ReplayAnswer], list[int]]":
    """Recompute what can be; raise what refuses them all."""
    found, gone, refused = list["ReplayAnswer"](), list[int](), None
    for number in range(1, kept.total + 1):
        try:
            found.append(kept.replay(number))
        except RequestRefused as error:
            gone.append(number)
            refused = error
    if refused is not None and not found:
        raise refused
    return found, gone


def _told(found: "list[ReplayAnswer]", gone: list[int]) -> Iterator[str]:
    for one in found:
        by = one.recorded_by
        with_whom = (
            "" if by == one.recomputed_by else f", recorded by {by} and recomputed by {one.recomputed_by}"
        )
        if one.agrees:
            trifles = f", but for {len(one.trifles)} trifles" if one.trifles else ""
            yield f"decision {one.number} agrees with its record{trifles}{with_whom}"
            continue
        yield f"decision {one.number} does NOT agree with its record{with_whom}:"
        yield from (
            f"  {differs.field}: recorded {differs.recorded}, recomputed {differs.recomputed}"
            for differs in one.differences
        )
    if gone:
        yield f"kept no more, since they changed nothing: {len(gone):,}"
    if len(found) > 1:
        yield f"{sum(one.agrees for one in found):,} of {len(found):,} agree"


@contextmanager
def _asked(settings: "Settings", name: str) -> Iterator[Kept]:
    from rollout.cli.control import control_plane

    with control_plane(settings) as control:
        run = control.experiment(name)
        total = 0 if run.decision is None else run.decision.number
        yield Kept(total, lambda number: control.replay(name, number))


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[Kept]:
    """Read a folder as it is, beside a control plane that may be writing there."""
    from rollout.api.problems import Refusal
    from rollout.api.records import Records
    from rollout.policyfile.digest import digest
    from rollout.store.database import Database
    from rollout.store.ledger import SqlLedger

    file = folder.expanduser() / DATABASE_FILE
    if not file.is_file():
        what = f"there is no {DATABASE_FILE}"
        raise NotReadable(Problem(str(folder), what, "name the folder of `rollout up`: --data"))
    database = Database.reader(file)
    try:
        ledger = SqlLedger(database, new_uid=str, digest=digest)
        run = next((one for one in ledger.runs() if one.experiment.policy.name == name), None)
        if run is None:
            raise NotReadable(Problem(str(folder), f"it has no experiment {name}", "see `rollout list`"))
        records, experiment = Records(ledger), run.experiment

        def replay(number: int) -> "ReplayAnswer":
            try:
                return records.replay(experiment, number)
            except Refusal as refusal:
                raise RequestRefused(*refusal.problems) from None

        yield Kept(0 if run.last is None else run.last.number, replay)
    finally:
        database.close()
