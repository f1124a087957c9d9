"""`rollout status`: where runs stand, once or watched: what was decided, and how far each proof has come."""

from functools import partial
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.names import offered
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.root import epilog
from rollout.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.client.answers import EntryAnswer, ExperimentAnswer
    from rollout.client.control_plane import ControlPlane
    from rollout.settings.settings import Color

SHOWN = 5
"""How many decisions a live view begins with."""


TOLD = 5
"""So many messages are shown, the newest first."""


@click.command(
    "status",
    epilog=epilog(
        {
            "rollout status": "every experiment, one line each",
            "rollout status churn-v2": "one experiment with its metrics",
            "rollout status churn-v2 --watch": "live, until it has ended",
            "rollout status --watch --output json": "one JSON line for each change",
        }
    ),
)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=offered)
@click.option("--watch", is_flag=True, help="Keep looking, every second; ends with the experiment named.")
@output_option
@pass_invocation
def verb(invocation: Invocation, name: str | None, output: str | None, *, watch: bool) -> None:
    """Show where experiments stand.

    PROOF is complete at 100% and then may promote; HARM rolls back at 100%. Times are UTC.

    A live view asks once a second, fits the terminal, and waits for a control plane that is away. Ctrl-C
    leaves it, with exit code 130.
    """
    from rollout.cli.control import control_plane

    settings = invocation.settings
    as_json = (output or settings.output) == "json"
    with control_plane(settings) as control:
        look = _look(control, name)
        if watch:
            from rollout.cli.watch import has_ended, keep_looking

            keep_looking(
                look,
                settings.color,
                as_json=as_json,
                until=None if name is None else has_ended,
                nodes=control.nodes,
                past=None if name is None else partial(_past, control),
            )
        elif as_json:
            runs = [run.model_dump(mode="json") for run in look()]
            print_json(runs[0] if name is not None else {"experiments": runs})
        elif name is None:
            _overview(look(), settings.color)
        else:
            _details(look()[0], settings.color)
            _told(control, name)


def _look(control: "ControlPlane", name: str | None) -> "Callable[[], tuple[ExperimentAnswer, ...]]":
    """Return how to look once: at all experiments, or at the one named."""
    return control.experiments if name is None else lambda: (control.experiment(name),)


def _past(control: "ControlPlane", run: "ExperimentAnswer") -> "tuple[EntryAnswer, ...]":
    """Return a run's newest entries."""
    newest = 0 if run.decision is None else run.decision.number
    return control.history(run.name, after=max(newest - SHOWN, 0))


def _overview(experiments: "tuple[ExperimentAnswer, ...]", color: "Color") -> None:
    from rollout.cli.board import NOTHING, overview

    if experiments:
        print_table(overview(experiments), color)
    else:
        write(f"{NOTHING}\n")


def _details(experiment: "ExperimentAnswer", color: "Color") -> None:
    from rollout.cli.board import headline, metrics
    from rollout.logs import wall_clock

    write("".join(f"{printable(line)}\n" for line in headline(experiment, wall_clock())))
    rows = metrics(experiment)
    if rows:
        write("\n")
        print_table(rows, color)


def _told(control: "ControlPlane", name: str) -> None:
    """Say who was told lately, and who could not be."""
    from rollout.cli.told import told

    lines = list(told(control.notifications(name, page_size=TOLD, pages=1)))
    if lines:
        write("".join(f"{printable(line)}\n" for line in ["", "told:", *lines]))
