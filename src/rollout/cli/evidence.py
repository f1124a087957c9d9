"""`rollout evidence`: what decisions rest on, of a running experiment or of a lake's folder."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.patience import GRACE_S
from rollout.cli.progress import progress
from rollout.cli.root import Group, epilog
from rollout.errors import ControlPlaneFailed, ExitCode, Problem, WrongUsage, printable

if TYPE_CHECKING:
    from rollout.client.evidence import EvidenceAnswer
    from rollout.settings.settings import Color

ENDINGS = frozenset({".yaml", ".yml"})
POLL_S = 0.2
"""How often the control plane is asked how far it has come."""


@click.group(
    "evidence",
    cls=Group,
    subcommand_metavar="VERB",
    epilog=epilog(
        {
            "rollout evidence show churn-v2": "units, means, verdicts, and how good the records are",
            "rollout evidence rebuild --check": "whether the lake alone leads to the same numbers",
        }
    ),
)
def verb() -> None:
    """Look at what decisions rest on.

    docs/evidence.md leads from one request to a number.
    """


@verb.command(
    "show",
    epilog=epilog(
        {
            "rollout evidence show churn-v2": "the newest look of a running control plane",
            "rollout evidence show churn-v2 --output json": "all of it, for programs",
            "rollout evidence show churn.yaml --lake ./house/lake": "from a folder of segments alone",
        }
    ),
)
@click.argument("policy", metavar="POLICY")
@click.option(
    "--lake",
    type=click.Path(path_type=Path, file_okay=False),
    help="Compute from this folder of segments, without a control plane; POLICY is then a file.",
)
@click.option(
    "--revision", type=click.IntRange(0), help="With --lake: which revision.  [default: the newest]"
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]),
    help="With --lake: look as of this time (UTC).  [default: the newest record's]",
)
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(0, 86_400),
    help=f"With --lake: seconds that late records are waited for after a window.  [default: {GRACE_S:g}]",
)
@output_option
@pass_invocation
def show(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    policy: str,
    lake: Path | None,
    revision: int | None,
    at: datetime | None,
    grace_s: float | None,
    output: str | None,
) -> None:
    """Show every metric's units, moments, verdict and records.

    POLICY is an experiment's name, or a policy file. Times are UTC. Of errors and latencies CONTROL and
    CANDIDATE show events / requests; of other metrics the mean and its deviation between units.
    """
    if lake is None:
        if (revision, at, grace_s) != (None, None, None):
            remedy = "name the folder of a lake with --lake"
            raise WrongUsage(
                Problem("rollout evidence show", "--revision, --at and --grace go with --lake", remedy)
            )
        found = _running(invocation, policy)
    else:
        from rollout.cli.bare_lake import Wanted, look

        wanted = Wanted(lake, policy, revision, at, GRACE_S if grace_s is None else grace_s)
        found = look(wanted, invocation.color)
    if (output or invocation.settings.output) == "json":
        print_json(found.model_dump(mode="json"))
    else:
        _print(found, invocation.settings.color)


@verb.command(
    "rebuild",
    epilog=epilog(
        {
            "rollout evidence rebuild --check": "compare, and change nothing; exit code 1 if they differ",
            "rollout evidence rebuild": "give up what is kept in memory, and make it from the lake",
        }
    ),
)
@click.option("--check", "is_check", is_flag=True, help="Only compare, bit for bit.")
@output_option
@pass_invocation
def rebuild(invocation: Invocation, is_check: bool, output: str | None) -> int:  # noqa: FBT001 (an option)
    """Make every unit's account anew from the lake, of all experiments that run.

    The control plane keeps them up as records come in. Looks go on beside it with what they knew.
    """
    from rollout.cli.control import control_plane

    with control_plane(invocation.settings) as control:
        found = control.begin_rebuild(is_check=is_check)
        with progress("reading", invocation.color) as on_read:
            while found.is_running:
                on_read(found.rows_read, max(found.rows_read, 1))
                time.sleep(POLL_S)
                found = control.rebuild_state()
    if found.problem is not None:
        remedy = "mend it, and ask again"
        raise ControlPlaneFailed(Problem("rollout evidence rebuild", found.problem, remedy))
    differing = [one for one in found.runs if one.differs]
    if (output or invocation.settings.output) == "json":
        print_json(found.model_dump(mode="json"))
        return ExitCode.FINDINGS if differing else ExitCode.FINE
    done = "the same" if found.is_check else "made anew"
    rows = [
        {
            "experiment": one.name,
            "revision": str(one.revision),
            "units": f"{one.units:,}",
            "accounts": f"differ: {', '.join(one.differs)}" if one.differs else done,
        }
        for one in found.runs
    ]
    if rows:
        print_table(rows, invocation.settings.color)
    experiments = "1 experiment" if len(rows) == 1 else f"{len(rows)} experiments"
    write(f"{found.rows_read:,} requests of {experiments} in {found.seconds:.1f} s\n")
    return ExitCode.FINDINGS if differing else ExitCode.FINE


def _running(invocation: Invocation, policy: str) -> "EvidenceAnswer":
    """Return the newest look of the control plane that the settings name."""
    from rollout.cli.control import control_plane
    from rollout.cli.policy_files import policy_in

    name = policy_in(policy).name if Path(policy).suffix in ENDINGS else policy
    with control_plane(invocation.settings) as control:
        return control.evidence(name)


def _print(found: "EvidenceAnswer", color: "Color") -> None:
    from rollout.cli import exhibits
    from rollout.cli.board import FINDING_STYLES

    def lines(said: list[str]) -> None:
        write("".join(f"{printable(line)}\n" for line in said))

    lines([*exhibits.headline(found), ""])
    print_table(exhibits.metrics(found), color, {"finding": FINDING_STYLES})
    lines([*exhibits.reasons(found)])
    styles = {"watermark": {exhibits.HOLDS: "yellow"}}
    for rows in (exhibits.outcomes(found), exhibits.sources(found)):
        if rows:
            write("\n")
            print_table(rows, color, styles)
    lines([*exhibits.lacks(found)])
