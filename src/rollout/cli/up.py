"""`rollout up`: the whole house in one process, on this machine."""

import signal
import threading
from pathlib import Path

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import write
from rollout.cli.root import epilog

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
    from rollout.cli.terms import terms_in
    from rollout.domain.judge import Patience

    terms = terms_in(invocation.settings)
    patience = Patience(stale_after_us=int(stale_s * 1e6), grace_us=int(grace_s * 1e6))
    home = folder.expanduser()
    with invocation.open_house(
        home,
        proxy_port=proxy_port,
        control_port=control_port,
        patience=patience,
        terms=terms,
    ):
        write(
            f"proxy:   http://127.0.0.1:{proxy_port}   what applications call\n"
            f"control: http://127.0.0.1:{control_port}   token in {home / 'token'}\n"
            "stop with Ctrl-C\n"
        )
        wait_until_told()
    write("stopped\n")


def wait_until_told() -> None:
    """Return at an interrupt or a request to end."""
    told = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: told.set())
    told.wait()
