"""`rollout token`: who may what; a token's secret is shown once, when it is made."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.root import Group, epilog
from rollout.cli.times import Duration
from rollout.cli.usage import OneOf, misused

if TYPE_CHECKING:
    from rollout.client.tokens import TokenAnswer

ROLES = ("viewer", "operator", "approver", "admin", "node", "app")
DAY_S = 86_400.0
NONE_YET = "no token was made yet; make one: rollout token create NAME --role viewer"


@click.group("token", cls=Group, epilog=epilog({"rollout token create ci --role operator": "make one"}))
def verb() -> None:
    """Make, list and end tokens; an admin's token is needed.

    viewer reads; operator starts experiments and asks for every verb but approve; approver approves in the
    name of its groups; admin may override and make tokens; node is a proxy's, app reports outcomes.
    """


@verb.command(
    "create",
    epilog=epilog(
        {
            "rollout token create ci --role operator --expires 90d": "for a pipeline",
            "rollout token create anna --role approver --group growth-leads": "who approves for a group",
            "rollout token create shop --role app > shop.token": "the secret alone, into a file",
        }
    ),
)
@click.argument("name", metavar="NAME")
@click.option("--role", required=True, type=OneOf(ROLES), help="What it may do.")
@click.option(
    "--group", "groups", multiple=True, help="An approver's: in whose name it approves; may be repeated."
)
@click.option(
    "--expires",
    type=Duration(),
    metavar="SPAN",
    help="After how long it ends, in whole days.  [default: never]",
)
@output_option
@pass_invocation
def create(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    name: str,
    role: str,
    groups: Sequence[str],
    expires: float | None,
    output: str | None,
) -> None:
    """Make a token, and print its secret this once.

    The secret is kept nowhere: the control plane has its hash. It is the only line on standard output.
    """
    from rollout.cli.control import control_plane
    from rollout.domain.access import Role

    days = _days(expires)
    with control_plane(invocation.settings) as control:
        made = control.create_token(name, Role(role), groups=tuple(groups), expires_days=days)
    if (output or invocation.settings.output) == "json":
        print_json(made.model_dump(mode="json"))
        return
    click.echo(f"{made.token.name}: {_may(made.token)}; this is its secret, shown once", err=True)
    write(f"{made.secret}\n")


@verb.command(
    "list",
    epilog=epilog({"rollout token list": "every token", "rollout token list --output json": "for programs"}),
)
@output_option
@pass_invocation
def list_all(invocation: Invocation, output: str | None) -> None:
    """List tokens: what they may, and whether they still open anything."""
    from rollout.cli.control import control_plane

    with control_plane(invocation.settings) as control:
        tokens = control.tokens()
    if (output or invocation.settings.output) == "json":
        print_json({"tokens": [token.model_dump(mode="json") for token in tokens]})
    elif tokens:
        print_table([_row(token) for token in tokens], invocation.color)
    else:
        write(f"{NONE_YET}\n")


@verb.command(
    "revoke",
    epilog=epilog({"rollout token revoke ci": "it opens nothing from the next request on"}),
)
@click.argument("name", metavar="NAME")
@output_option
@pass_invocation
def revoke(invocation: Invocation, name: str, output: str | None) -> None:
    """End a token now.

    Its name stays taken, so that the audit says what it did.
    """
    from rollout.cli.control import control_plane

    with control_plane(invocation.settings) as control:
        ended = control.revoke_token(name)
    if (output or invocation.settings.output) == "json":
        print_json(ended.model_dump(mode="json"))
    else:
        write(f"{ended.name} opens nothing any more\n")


def _days(expires_s: float | None) -> int | None:
    """Return whole days, at least one."""
    if expires_s is None:
        return None
    days, rest = divmod(expires_s, DAY_S)
    if rest or not days:
        raise misused("token create", "--expires must be whole days", "write, say, 90d")
    return int(days)


def _row(token: "TokenAnswer") -> dict[str, str]:
    from rollout.cli.words import ABSENT, moment

    def at(found: "object") -> str:
        from datetime import datetime

        return moment(found) if isinstance(found, datetime) else ABSENT

    return {
        "name": token.name,
        "may": _may(token),
        "stands": _stands(token),
        "made": at(token.created_at),
        "by": token.created_by or ABSENT,
        "ends": at(token.expires_at),
        "used": at(token.used_at),
    }


def _may(token: "TokenAnswer") -> str:
    return f"{token.role} for {', '.join(token.groups)}" if token.groups else token.role


def _stands(token: "TokenAnswer") -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "live" if token.is_live else "expired"
