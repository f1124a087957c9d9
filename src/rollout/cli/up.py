"""`rollout up`: the whole house in one process, on this machine."""

import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import write
from rollout.cli.patience import takes_patience
from rollout.cli.root import epilog
from rollout.errors import Problem, WrongUsage

if TYPE_CHECKING:
    from rollout.domain.judge import Patience

HOME = "~/.local/state/rollout"
DRAIN_S = 5.0
LOOKS_EVERY_S = 0.1
NAMED = 5


@click.command(
    "up",
    epilog=epilog(
        {
            "rollout up": "the proxy on port 8600, the control plane on port 8640",
            "rollout up ./house": "with its state in another folder",
            "rollout start policies/churn.yaml": "in another terminal: start an experiment",
        }
    ),
)
@click.argument("place", type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]", required=False)
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The folder that holds all state, as DIR; the token is in its file `token`.  [default: {HOME}]",
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
@takes_patience
@click.option(
    "--drain",
    "drain_s",
    type=click.FloatRange(0, 3600),
    default=DRAIN_S,
    show_default=True,
    help="Seconds that clients have at most to leave when this is told to end.",
)
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    place: Path | None,
    folder: Path | None,
    proxy_port: int,
    control_port: int,
    drain_s: float,
    patience: "Patience",
) -> None:
    """Run Envoy, the recorders, the control plane and the controller until interrupted.

    Everything listens on this machine only. Actions of policies run here, as whoever started this. What ran
    in the folder before goes on where it was. At the end clients are asked to leave; a second signal hurries.
    """
    from rollout.cli.terms import terms_in

    terms = terms_in(invocation.settings)
    if place is not None and folder is not None:
        raise WrongUsage(
            Problem("rollout up", "DIR and --data name one folder each", "leave one of them out")
        )
    home = (place or folder or Path(HOME)).expanduser()
    with invocation.open_house(
        home,
        proxy_port=proxy_port,
        control_port=control_port,
        patience=patience,
        terms=terms,
    ) as house:
        scheme = "http" if terms.tls is None else "https"
        write(
            f"proxy:   http://127.0.0.1:{proxy_port}   what applications call\n"
            f"control: {scheme}://127.0.0.1:{control_port}   token in {home / 'token'}\n"
            f"{_going_on(house.going_on)}"
            "stop with Ctrl-C\n"
        )
        told, hurried = signals()
        told.wait()
        house.drain()
        ends_s = time.monotonic() + drain_s
        while time.monotonic() < ends_s and not house.is_left() and not hurried.wait(LOOKS_EVERY_S):
            pass
    write("stopped\n")


def _going_on(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    count = "1 experiment goes on" if len(names) == 1 else f"{len(names)} experiments go on"
    return f"{count}: {', '.join(names[:NAMED])}{more}\n"


def signals() -> tuple[threading.Event, threading.Event]:
    """Return what the first and the second request to end set."""
    told, hurried = threading.Event(), threading.Event()

    def hear(*_: object) -> None:
        (hurried if told.is_set() else told).set()

    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, hear)
    return told, hurried


def wait_until_told() -> None:
    """Return at an interrupt or a request to end."""
    told = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: told.set())
    told.wait()
