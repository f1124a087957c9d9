"""`rollout up`: the whole house in one process, on this machine."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import write
from rollout.cli.root import epilog

if TYPE_CHECKING:
    from rollout.agent.names import Named
    from rollout.api.allowance import Reporting
    from rollout.lake.keeping import Keeping
    from rollout.settings.settings import Settings

GRACE_S = 600.0
STALE_S = 60.0


@click.command(
    "up",
    epilog=epilog(
        {
            "rollout up": "the proxy on port 8600, the control plane on port 8640",
            "rollout up --data ./house": "with its state in another folder",
            "rollout start policies/churn.yaml": "in another terminal: start an experiment",
        }
    ),
)
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("~/.local/state/rollout"),
    show_default=True,
    help="The folder that holds all state; the token is in its file `token`.",
)
@click.option(
    "--proxy-port", type=click.IntRange(1, 65535), default=8600, show_default=True, help="For applications."
)
@click.option(
    "--control-port",
    type=click.IntRange(1, 65535),
    default=8640,
    show_default=True,
    help="For verbs and outcomes.",
)
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(0, 86_400),
    default=GRACE_S,
    show_default=True,
    help="Seconds that late records are waited for after a window.",
)
@click.option(
    "--stale",
    "stale_s",
    type=click.FloatRange(1, 86_400),
    default=STALE_S,
    show_default=True,
    help="Seconds that evidence may lag before nothing moves up.",
)
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    folder: Path,
    proxy_port: int,
    control_port: int,
    grace_s: float,
    stale_s: float,
) -> None:
    """Run Envoy, the recorders, the control plane and the controller until interrupted.

    Everything listens on this machine only. Actions of policies run here, as whoever started this.
    """
    from rollout.domain.judge import Patience

    reporting = reporting_of(invocation.settings)
    patience = Patience(stale_after_us=int(stale_s * 1e6), grace_us=int(grace_s * 1e6))
    home = folder.expanduser()
    with invocation.open_house(
        home,
        proxy_port=proxy_port,
        control_port=control_port,
        patience=patience,
        reporting=reporting,
        keeping=keeping_of(invocation.settings),
        named=named_in(invocation.settings),
    ):
        write(
            f"proxy:   http://127.0.0.1:{proxy_port}   what applications call\n"
            f"control: http://127.0.0.1:{control_port}   token in {home / 'token'}\n"
            "stop with Ctrl-C\n"
        )
        wait_until_told()
    write("stopped\n")


def reporting_of(settings: "Settings") -> "Reporting":
    """Return who may report outcomes, and how many, as it is set."""
    from rollout.api.allowance import Reporting

    return Reporting(
        tokens_file=settings.app_tokens_file and settings.app_tokens_file.expanduser(),
        per_s=settings.outcome_rate,
        burst=settings.outcome_burst,
    )


def keeping_of(settings: "Settings") -> "Keeping":
    """Return how long records are kept, and how many may wait, as it is set."""
    from rollout.lake.keeping import MIB, Keeping

    return Keeping(
        exposures_days=settings.keep_exposures_days,
        outcomes_days=settings.keep_outcomes_days,
        largest_unsent=settings.unsent_limit_mib * MIB,
    )


def named_in(settings: "Settings") -> "Named":
    """Return what the names in policies mean on this machine, as it is set."""
    from rollout.agent.names import Named

    return Named(settings.ca_files, settings.credential_files, settings.public_ca_file)


def wait_until_told() -> None:
    """Return at an interrupt or a request to end."""
    told = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: told.set())
    told.wait()
