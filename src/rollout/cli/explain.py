"""`rollout explain`: why it did that, what it rests on, and what it waits for, until when."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.names import experiment_name
from rollout.cli.output import output_option, print_json, write
from rollout.cli.root import epilog
from rollout.cli.times import Since
from rollout.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.client.answers import EntryAnswer, ExperimentAnswer
    from rollout.client.control_plane import ControlPlane
    from rollout.client.nodes import NodesAnswer
    from rollout.client.records import RecordAnswer


@click.command(
    "explain",
    epilog=epilog(
        {
            "rollout explain churn-v2": "why it is where it is, and what it waits for",
            "rollout explain churn-v2 --since 2h": "only what was decided in the last two hours",
            "rollout explain churn-v2 --decision 12": "one decision, and what was waited for then",
            "rollout explain churn-v2 --output json": "every recorded look, for programs",
        }
    ),
)
@experiment_name
@click.option(
    "--decision",
    "number",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Explain this decision as it was then; the timeline shows the numbers.",
)
@click.option("--since", type=Since(), metavar="WHEN", help="Leave out what was decided before, such as 2h.")
@output_option
@pass_invocation
def verb(
    invocation: Invocation, name: str, number: int | None, since: datetime | None, output: str | None
) -> None:
    """Say what was decided, why, on which numbers, and what is waited for, until when.

    Times are UTC. A proof is complete at 100% of its bar; harm rolls back at 100%.
    """
    from rollout.cli.control import control_plane

    as_json = (output or invocation.settings.output) == "json"
    with control_plane(invocation.settings) as control:
        if number is not None:
            record = control.record(name, number)
            _print_one(record, as_json=as_json)
            return
        run, entries = control.experiment(name), control.history(name)
        nodes = _nodes(control, run)
    if as_json:
        history = [entry.model_dump(mode="json") for entry in _since(entries, since)]
        print_json({"experiment": run.model_dump(mode="json"), "history": history})
        return
    write("".join(f"{line}\n" for line in explained(run, entries, since, nodes)))


def explained(
    run: "ExperimentAnswer",
    entries: "Sequence[EntryAnswer]",
    since: datetime | None = None,
    nodes: "NodesAnswer | None" = None,
) -> list[str]:
    """Return the explanation, line by line, without what was decided before `since`."""
    from rollout.cli.standing import present
    from rollout.cli.timeline import timeline

    shown = _since(entries, since)
    lines = [*present(run, entries, nodes), "", "how it came to that:", *timeline(run, shown)]
    if len(shown) < len(entries):
        lines.append(f"  {len(entries) - len(shown):,} earlier looks are left out")
    return [printable(line) for line in lines]


def _print_one(record: "RecordAnswer", *, as_json: bool) -> None:
    from rollout.cli.standing import decided

    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        write("".join(f"{printable(line)}\n" for line in decided(record)))


def _nodes(control: "ControlPlane", run: "ExperimentAnswer") -> "NodesAnswer | None":
    """Return the nodes, where one of them is what is waited for."""
    waited = () if run.outlook is None else run.outlook.waits
    return control.nodes() if any(one.what == "proxies" for one in waited) else None


def _since(entries: "Sequence[EntryAnswer]", since: datetime | None) -> "Sequence[EntryAnswer]":
    return [entry for entry in entries if since is None or entry.at >= since]
