"""`rollout notify`: who can be told, whether a message reaches them, and keys for webhooks."""

import base64
import secrets
import time
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.root import Group, epilog
from rollout.errors import ExitCode, NotReadable, Problem, nearest, printable

if TYPE_CHECKING:
    from rollout.domain.news import Letter
    from rollout.notify.receivers import Receivers
    from rollout.settings.settings import Settings

KEY_BYTES = 32


@click.group(
    "notify",
    cls=Group,
    subcommand_metavar="VERB",
    epilog=epilog(
        {
            "rollout notify ls": "who can be told",
            "rollout notify test ml-growth": "send a message, and say what came of it",
            "rollout notify key": "draw a key for a webhook",
        }
    ),
)
def verb() -> None:
    """Look after receivers of messages.

    They stand in the file that the setting `receivers_file` names; docs/notifications.md says how.
    """


@verb.command(
    "ls",
    epilog=epilog(
        {
            "rollout notify ls": "a table, without addresses",
            "rollout notify ls --output json": "the same for programs",
        }
    ),
)
@output_option
@pass_invocation
def ls(invocation: Invocation, output: str | None) -> None:
    """List who can be told: their names, and by which service; never an address."""
    known = _receivers(invocation.settings).known()
    rows = [
        {"name": one.name, "service": one.service, "per minute": f"{one.per_minute:g}"}
        for one in sorted(known.values(), key=lambda one: one.name)
    ]
    if (output or invocation.settings.output) == "json":
        print_json({"receivers": rows})
    elif rows:
        print_table(rows, invocation.settings.color)
    else:
        write("nobody: the file is empty\n")


@verb.command(
    "test",
    epilog=epilog(
        {
            "rollout notify test ml-growth": "send a message now, from this machine",
            "rollout notify test ml-growth --output json": "what came of it, for programs",
        }
    ),
)
@click.argument("name", metavar="NAME")
@output_option
@pass_invocation
def test(invocation: Invocation, name: str, output: str | None) -> int:
    """Send a test message to a receiver, and say what came of it.

    It goes from this machine with this machine's settings, past the control plane's outbox and its pace.
    """
    from rollout.notify.couriers import Couriers

    settings = invocation.settings
    receivers = _receivers(settings)
    if name not in receivers.known():
        guess = nearest(name, receivers.known())
        remedy = f"did you mean '{guess}'?" if guess else "`rollout notify ls` lists those that are"
        raise NotReadable(Problem(str(settings.receivers_file), f"nobody is called '{name}'", remedy))
    letter = _letter()
    delivered = Couriers(receivers, public_url=settings.public_url).send(name, letter)
    if (output or settings.output) == "json":
        print_json(
            {"receiver": name, "letter": letter.id, "is_taken": delivered.is_taken, "why": delivered.why}
        )
    elif delivered.is_taken:
        write(f"{name} has taken message {letter.id}\n")
    else:
        write(printable(f"{name} has not taken message {letter.id}: {delivered.why}") + "\n")
    return ExitCode.FINE if delivered.is_taken else ExitCode.FINDINGS


@verb.command("key", epilog=epilog({"rollout notify key": "a new key, for `keys` of a webhook"}))
def key() -> None:
    """Draw a key with which a webhook is signed; it stands nowhere else."""
    write(f"whsec_{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n")


def _receivers(settings: "Settings") -> "Receivers":
    from rollout.notify.receivers import Receivers

    if settings.receivers_file is None:
        what = "no file of receivers is set, so nobody can be told"
        raise NotReadable(
            Problem("receivers_file", what, "set it (ROLLOUT_RECEIVERS_FILE); see docs/notifications.md")
        )
    return Receivers(settings.receivers_file.expanduser())


def _letter() -> "Letter":
    """Return a letter that tells nothing; each has an id of its own."""
    from rollout.domain.news import Letter, trial_news

    news = trial_news(f"test.{secrets.token_hex(4)}", time.time_ns() // 1_000)
    return Letter(news.id, (news,))
