"""What every verb by which a person asks something of a run shares: who, why, and how it is answered."""

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.names import experiment_name
from rollout.cli.output import output_option, print_json, write
from rollout.cli.root import epilog
from rollout.cli.usage import misused

if TYPE_CHECKING:
    from rollout.client.control_plane import ControlPlane
    from rollout.client.wishes import AskedAnswer

Option: TypeAlias = Callable[[Callable[..., None]], Callable[..., None]]


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, and why."""

    who: str
    why: str


Ask: TypeAlias = "Callable[..., AskedAnswer]"
"""Asks the control plane for a run's name and a person; the verb's own options come by their names."""

override_option = click.option(
    "--override",
    is_flag=True,
    help="Although the policy would not do it yet; recorded, shown and reported as an override.",
)


def wish_verb(
    name: str, *, follows: str, examples: Mapping[str, str], options: Sequence[Option] = ()
) -> Callable[[Ask], click.Command]:
    """Return how to make a verb of what asks for it; `follows` says what happens once it is recorded."""

    def made(ask: Ask) -> click.Command:
        @experiment_name
        @click.option("--why", required=True, help="The reason; it is recorded, shown and reported.")
        @click.option("--who", help="Who wants it.  [default: the name of the user who runs this]")
        @click.option(
            "--if-version",
            "version",
            type=click.IntRange(min=0),
            metavar="NUMBER",
            help="Only if it still stands as then: `version` in `rollout status NAME --output json`.",
        )
        @output_option
        @pass_invocation
        def verb(
            invocation: Invocation,
            /,
            why: str,
            who: str | None,
            version: int | None,
            output: str | None,
            **own: Any,  # noqa: ANN401 (what the verb's own options are is the verb's)
        ) -> None:
            from rollout.cli.control import control_plane

            run = str(own.pop("name"))
            person = person_of(name, who, why)
            with control_plane(invocation.settings) as control:
                asked = ask(_bound(control, run, version), run, person, **own)
            if (output or invocation.settings.output) == "json":
                print_json(asked.model_dump(mode="json"))
            else:
                write(_told(name, asked, follows))

        for option in reversed(options):
            verb = option(verb)
        return click.command(name, help=ask.__doc__, epilog=epilog(examples))(verb)

    return made


def _bound(control: "ControlPlane", name: str, version: int | None) -> "ControlPlane":
    """Return the control plane, whose verbs are refused unless the run stands as it was seen."""
    if version is None:
        return control
    return control.only_if(control.experiment(name).model_copy(update={"version": version}))


def person_of(verb: str, who: str | None, why: str) -> Person:
    """Return who asks and why, if both say something and are not too long."""
    from rollout.client.answers import MAXIMUM_WHO_CHARACTERS, MAXIMUM_WHY_CHARACTERS

    named = _user(verb) if who is None else who
    return Person(
        who=_checked(verb, "--who", named, MAXIMUM_WHO_CHARACTERS),
        why=_checked(verb, "--why", why, MAXIMUM_WHY_CHARACTERS),
    )


def _told(verb: str, asked: "AskedAnswer", follows: str) -> str:
    run = asked.experiment
    if asked.is_new:
        said = f"{run.name}: the {_noun(verb)} is recorded; {follows}\n"
    else:
        said = f"{run.name}: {_article(_noun(verb))} was asked for before; it is {run.phase}\n"
    return f"{said}see it happen: rollout status {run.name} --watch\n"


def _noun(verb: str) -> str:
    nouns = {"promote": "promotion", "approve": "approval", "retire": "retirement", "resume": "resumption"}
    return nouns.get(verb, verb)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _user(verb: str) -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        raise misused(verb, "the user who runs this has no name", "name yourself: --who NAME") from None


def _checked(verb: str, option: str, text: str, maximum: int) -> str:
    """Return the text without blanks at both ends, if there is any and it is not too long."""
    found = text.strip()
    if found and len(found) <= maximum:
        return found
    what = f"{option} is empty" if not found else f"{option} has more than {maximum} characters"
    raise misused(verb, what, "say it in a sentence")
