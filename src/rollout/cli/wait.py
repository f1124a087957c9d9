"""`rollout wait`: until an experiment has come where it is wanted, or time is over."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.names import experiment_name
from rollout.cli.output import output_option, print_json, write
from rollout.cli.phases import Phases
from rollout.cli.root import epilog
from rollout.cli.times import Duration
from rollout.errors import ControlPlaneFailed, ExitCode, printable

if TYPE_CHECKING:
    from rollout.client.answers import ExperimentAnswer

PAUSE_S = 1.0


@click.command(
    "wait",
    epilog=epilog(
        {
            "rollout wait churn-v2 --timeout 2h": "until it has ended, whatever its end",
            "rollout wait churn-v2 --for promoted --timeout 14d": "exit code 1 at another end",
            "rollout wait churn-v2 --for paused,awaiting-approval": "until a person is needed",
        }
    ),
)
@experiment_name
@click.option(
    "--for",
    "wanted",
    type=Phases(),
    metavar="PHASE[,PHASE]",
    help="The phases that are waited for.  [default: any end]",
)
@click.option("--timeout", type=Duration(), metavar="SPAN", help="How long at most.  [default: for ever]")
@output_option
@pass_invocation
def verb(
    invocation: Invocation,
    name: str,
    wanted: frozenset[str] | None,
    timeout: float | None,
    output: str | None,
) -> ExitCode:
    """Wait until an experiment has come to a phase.

    Exit code 0 once it is there; 1 when it has ended elsewhere, or time was over. A control plane that is
    away meanwhile is waited for, as long as there is time, for a minute where no time is given.
    """
    from rollout.cli.control import control_plane

    with control_plane(invocation.settings) as control:
        run = _last(lambda: control.experiment(name), wanted, timeout)
    if (output or invocation.settings.output) == "json":
        print_json(run.model_dump(mode="json"))
    else:
        from rollout.cli.words import standing

        write(f"{printable(standing(run))}\n")
    if is_reached(run, wanted):
        return ExitCode.FINE
    awaited = "an end" if wanted is None else " or ".join(sorted(wanted))
    why = f"ended as {run.phase}" if run.has_ended else f"still {run.phase} when time was over"
    sys.stderr.write(printable(f"{run.name}: {why}, not {awaited}; see `rollout explain {run.name}`") + "\n")
    return ExitCode.FINDINGS


def is_reached(run: "ExperimentAnswer", wanted: frozenset[str] | None) -> bool:
    """Return whether a run is where it was waited for."""
    return run.has_ended if wanted is None else run.phase in wanted


def _last(
    look: "Callable[[], ExperimentAnswer]", wanted: frozenset[str] | None, timeout_s: float | None
) -> "ExperimentAnswer":
    """Look until nothing more is to be waited for, and return the last that was seen."""
    from rollout.cli.watch import PATIENCE_S

    began_s = seen_s = time.monotonic()
    run = look()
    while not (is_reached(run, wanted) or run.has_ended):
        now_s = time.monotonic()
        if timeout_s is not None and now_s - began_s >= timeout_s:
            break
        left_s = PAUSE_S if timeout_s is None else began_s + timeout_s - now_s
        time.sleep(min(PAUSE_S, left_s))
        try:
            run = look()
            seen_s = time.monotonic()
        except ControlPlaneFailed:
            if timeout_s is None and time.monotonic() - seen_s > PATIENCE_S:
                raise
    return run
