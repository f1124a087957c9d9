"""`rollout demo`: three stories from policy to report on real parts, in about a minute."""

import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import write
from rollout.cli.root import epilog
from rollout.errors import ExitCode, Problem, RolloutError

if TYPE_CHECKING:
    from rollout.cli.watch import Look
    from rollout.client.answers import ExperimentAnswer
    from rollout.client.control_plane import ControlPlane

ENDS_WITHIN_S = 240.0
GRACE_US = 1_000_000
STALE_US = 15_000_000
REPORTS = Path("rollout-demo")


@click.command(
    "demo",
    epilog=epilog(
        {
            "rollout demo": "watch a model being promoted, one rolled back, and one held",
            "rollout demo --keep": "and leave everything running, to play with",
        }
    ),
)
@click.option("--keep", is_flag=True, help="Stay up after the stories have ended, until interrupted.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=REPORTS,
    show_default=True,
    help="The folder for the reports.",
)
@pass_invocation
def verb(invocation: Invocation, keep: bool, reports: Path) -> int:  # noqa: FBT001 (click passes it by name)
    """Live through three experiments: a better model, one that begins to fail, and one whose split is broken.

    A real Envoy splits the traffic of simulated users, who report outcomes; the controller decides. Exit
    code 0 only if the better model was promoted, its action ran, the failing one was rolled back, and the
    one that got other users than its control was held.
    """
    from rollout.cli.control import read_token
    from rollout.cli.up import wait_until_told
    from rollout.cli.watch import keep_looking
    from rollout.client.connection import Connection
    from rollout.client.control_plane import ControlPlane
    from rollout.demo.company import Addresses, Company
    from rollout.demo.stories import STORIES
    from rollout.domain.judge import Patience

    color = invocation.color
    proxy_port, control_port = _free_port(), _free_port()
    proxy_url, control_url = (f"http://127.0.0.1:{port}" for port in (proxy_port, control_port))
    patience = Patience(stale_after_us=STALE_US, grace_us=GRACE_US)
    with tempfile.TemporaryDirectory(prefix="rollout-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with invocation.open_house(
            folder, proxy_port=proxy_port, control_port=control_port, patience=patience
        ):
            token = read_token(folder / "token", may_be_absent=False)
            connection = Connection(control_url, token=token, timeout_s=10.0)
            with (
                ControlPlane(connection) as control,
                Company(Addresses(proxy_url, control_url, token or ""), now_us=_now_us) as company,
            ):
                texts = {story.name: story.policy(*company.urls[story.name], folder) for story in STORIES}
                for policy in texts.values():
                    control.start(policy.encode(), file="demo")
                company.let_users_in({story.name: story.admits(texts[story.name]) for story in STORIES})
                keep_looking(_within(control, ENDS_WITHIN_S), color, as_json=False, until=_has_been_told)
                fine = _tell(control, folder, reports)
                if keep:
                    write(f"proxy: {proxy_url}   control: {control_url}\n")
                    write(f"token in {folder / 'token'}; Ctrl-C ends it\n")
                    wait_until_told()
    return ExitCode.FINE if fine else ExitCode.FINDINGS


def _within(control: "ControlPlane", limit_s: float) -> "Look":
    """Return a look that gives up when the stories take too long."""
    ends_s = time.monotonic() + limit_s

    def look() -> "tuple[ExperimentAnswer, ...]":
        if time.monotonic() > ends_s:
            what, remedy = f"did not end within {limit_s:g} s", "is this machine very busy? try again"
            raise _Overdue(Problem("the demo", what, remedy))
        return control.experiments()

    return look


class _Overdue(RolloutError):
    """The stories took too long."""


def _has_been_told(run: "ExperimentAnswer") -> bool:
    """Return whether a story is over: its run has ended, or is held until a person comes."""
    return run.has_ended or run.phase == "paused"


def _tell(control: "ControlPlane", folder: Path, reports: Path) -> bool:
    """Say what happened and where the reports lie; return whether every story ended as it should."""
    from rollout.cli.explain import explained
    from rollout.client.answers import ReportFormat
    from rollout.demo.stories import BROKEN, PROMOTED_FILE, STORIES

    reports.mkdir(parents=True, exist_ok=True)
    fine = True
    for story in STORIES:
        run, entries = control.experiment(story.name), control.history(story.name)
        page = reports / f"{story.name}.html"
        page.write_text(control.report(story.name, ReportFormat.HTML), encoding="utf-8")
        why = next((entry for entry in reversed(entries) if entry.reason == story.reason), None)
        said = "" if why is None else f": {why.sentence}" + (f" ({why.metric})" if why.metric else "")
        write(f"{story.name} is {run.phase}{said}\n  report: {page}\n")
        fine = fine and why is not None and run.phase == story.phase
        if story.name == BROKEN:
            write("".join(f"  {line}\n" for line in explained(run, entries)))
    ran = (folder / PROMOTED_FILE).exists()
    write(f"the promote action {'ran' if ran else 'did NOT run'}\n")
    return ran and fine


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _now_us() -> int:
    return time.time_ns() // 1_000
