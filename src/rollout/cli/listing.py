"""`rollout list`: every experiment on one line, or those in some phases."""

from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.phases import Phases
from rollout.cli.root import epilog

if TYPE_CHECKING:
    from rollout.client.answers import ExperimentAnswer

NONE_SUCH = "no experiment is in these phases; `rollout list` shows all"


@click.command(
    "list",
    epilog=epilog(
        {
            "rollout list": "every experiment whose route is served",
            "rollout list --phase paused,awaiting-approval": "where a person is needed",
            "rollout list --output json": "for programs",
        }
    ),
)
@click.option("--phase", "phases", type=Phases(), metavar="PHASE[,PHASE]", help="Only those in these phases.")
@output_option
@pass_invocation
def verb(invocation: Invocation, phases: frozenset[str] | None, output: str | None) -> None:
    """List experiments, in the order in which they were started.

    What they do and why: `rollout status`.
    """
    from rollout.cli.board import NOTHING, PHASE_STYLES
    from rollout.cli.control import control_plane

    with control_plane(invocation.settings) as control:
        known = control.experiments()
    runs = [run for run in known if phases is None or run.phase in phases]
    if (output or invocation.settings.output) == "json":
        print_json({"experiments": [run.model_dump(mode="json") for run in runs]})
    elif runs:
        print_table([_row(run) for run in runs], invocation.color, {"phase": PHASE_STYLES})
    else:
        write(f"{NONE_SUCH if known else NOTHING}\n")


def _row(run: "ExperimentAnswer") -> dict[str, str]:
    from rollout.cli.words import moment

    served = f"{run.winner or ', '.join(run.candidates)} against {run.baseline}"
    return {
        "name": run.name,
        "phase": run.phase,
        "versions": served,
        "path": run.path,
        "owner": run.owner,
        "revision": str(run.revision),
        "started": moment(run.started_at),
    }
