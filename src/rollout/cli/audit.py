"""`rollout audit`: who did what, when, why and from where; and whether anybody has changed it since."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, speaks_unicode, write
from rollout.cli.root import Group, epilog
from rollout.cli.times import Since
from rollout.cli.usage import misused
from rollout.errors import ExitCode, NotReadable, Problem, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rollout.client.audit import ActAnswer, KnownHead, VerifiedAnswer

NEWEST = 50
LARGEST_NOTE = 4_096


@click.group("audit", cls=Group, epilog=epilog({"rollout audit show": "the newest acts"}))
def verb() -> None:
    """Show who did what, and check that nobody has changed it since.

    Every act of a person, a program and the controller is one line, and each line holds the hash of another:
    what is changed behind it is found.
    """


@verb.command(
    "show",
    epilog=epilog(
        {
            "rollout audit show": f"the newest {NEWEST} acts",
            "rollout audit show --of churn-v2 --since 2d": "of one experiment, in the last two days",
            "rollout audit show --who anna --verb promote --last 5": "what anna promoted last",
            "rollout audit show --last 100000 --output json": "for programs, one line each",
        }
    ),
)
@click.option("--of", "subject", metavar="NAME", help="Only what was done to this experiment or token.")
@click.option("--who", help="Only what this person, token or the controller did.")
@click.option("--verb", "verb_", metavar="VERB", help="Only such acts: rollback, advance, start and others.")
@click.option("--since", type=Since(), metavar="WHEN", help="Only from then on: 2d, 2026-11-22.")
@click.option(
    "--last", type=click.IntRange(min=1), default=NEWEST, show_default=True, help="So many at most."
)
@output_option
@pass_invocation
def show(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    subject: str | None,
    who: str | None,
    verb_: str | None,
    since: datetime | None,
    last: int,
    output: str | None,
) -> None:
    """Show the newest acts, the oldest of them first.

    Times are UTC. ORIGIN is the address that the request came from.
    """
    from collections import deque

    from rollout.cli.control import control_plane

    def fits(act: "ActAnswer") -> bool:
        is_theirs = who is None or who in {act.who, act.token}
        is_such = (subject in {None, act.subject}) and (verb_ in {None, act.verb})
        return is_theirs and is_such and (since is None or act.at >= since)

    with control_plane(invocation.settings) as control:
        found = deque(filter(fits, control.audit()), maxlen=last)
    if (output or invocation.settings.output) == "json":
        write("".join(_lines(found)))
    elif found:
        print_table([_row(act) for act in found], invocation.color)
    else:
        write("nothing such was done\n")


@verb.command(
    "verify",
    epilog=epilog(
        {
            "rollout audit verify": "exit code 1, and which rows, if anything was changed",
            "rollout audit verify --note audit.note": "and note the newest line where nobody else may write",
            "rollout audit verify --known audit.note": "compare with what was noted then",
        }
    ),
)
@click.option("--known", metavar="FILE", help="A note of before: that line must still be the same.")
@click.option("--note", metavar="FILE", help="Write the newest line's number and hash to this file.")
@output_option
@pass_invocation
def verify(invocation: Invocation, known: str | None, note: str | None, output: str | None) -> ExitCode:
    """Check the whole audit: every line, and every decision that one vouches for.

    Whoever may write to the whole database can rewrite all of it consistently; a note that is kept elsewhere
    finds that too. Exit code 1 when anything was changed.
    """
    from rollout.cli.control import control_plane
    from rollout.cli.files import save

    noted = None if known is None else _noted(known)
    with control_plane(invocation.settings) as control:
        found = control.verify_audit(noted)
    if (output or invocation.settings.output) == "json":
        print_json(found.model_dump(mode="json"))
    else:
        write("".join(f"{printable(line)}\n" for line in _told(found)))
    if note is not None and not found.found:
        save(note, json.dumps({"number": found.newest_number, "hash": found.newest_hash}) + "\n")
    return ExitCode.FINDINGS if found.found else ExitCode.FINE


def _told(found: "VerifiedAnswer") -> "Iterator[str]":
    yield from (f"{one.where}: {one.what}; {one.remedy}" for one in found.problems)
    if found.found:
        hidden = found.found - len(found.problems)
        more = f", {hidden:,} of them not shown" if hidden else ""
        yield f"the audit was changed: {found.found:,} problems in {found.lines:,} lines{more}"
        return
    yield f"{found.lines:,} lines, and everything they vouch for is as it was recorded"
    if found.lines:
        yield f"newest: line {found.newest_number}, {found.newest_hash}"


def _noted(file: str) -> "KnownHead":
    """Return the line that a note holds."""
    from pydantic import ValidationError

    from rollout.client.audit import KnownHead

    try:
        with Path(file).open("rb") as stream:
            content = stream.read(LARGEST_NOTE)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise NotReadable(Problem(file, what, "name a note that `--note` wrote")) from None
    try:
        return KnownHead.model_validate_json(content)
    except ValidationError:
        raise misused(
            "audit verify", f"{file} is no note of the audit", "name one that `--note` wrote"
        ) from None


def _lines(acts: "Iterable[ActAnswer]") -> "Iterator[str]":
    for act in acts:
        yield json.dumps(act.model_dump(mode="json"), ensure_ascii=not speaks_unicode()) + "\n"


def _row(act: "ActAnswer") -> dict[str, str]:
    from rollout.cli.words import ABSENT, moment

    return {
        "no": str(act.number),
        "at": moment(act.at),
        "who": act.who,
        "token": act.token or ABSENT,
        "origin": act.origin or ABSENT,
        "verb": act.verb,
        "subject": act.subject,
        "why": act.why,
    }
