"""`rollout rollback`: a person takes a candidate off the traffic, and says why."""

import getpass

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, write
from rollout.cli.root import epilog
from rollout.errors import Problem, WrongUsage


@click.command(
    "rollback",
    epilog=epilog(
        {
            'rollout rollback churn-v2 --why "support sees wrong answers"': "take the candidate off",
            'rollout rollback churn-v2 --why "incident 4711" --who anna': "in another person's name",
            "rollout status churn-v2 --watch": "see it happen",
        }
    ),
)
@click.argument("name", metavar="NAME")
@click.option("--why", required=True, help="The reason; it is recorded, shown and reported.")
@click.option("--who", help="Who wants it.  [default: the name of the user who runs this]")
@output_option
@pass_invocation
def verb(invocation: Invocation, name: str, why: str, who: str | None, output: str | None) -> None:
    """Roll an experiment back, whatever the evidence says.

    The candidate's traffic goes to zero at the next look, within seconds; then the rollback action runs.
    Asking twice is asking once.
    """
    from rollout.cli.control import control_plane
    from rollout.client.answers import MAXIMUM_WHO_CHARACTERS, MAXIMUM_WHY_CHARACTERS

    form = output or invocation.settings.output
    wanted_by = _checked("--who", _user() if who is None else who, MAXIMUM_WHO_CHARACTERS)
    because = _checked("--why", why, MAXIMUM_WHY_CHARACTERS)
    with control_plane(invocation.settings) as control:
        asked = control.rollback(name, who=wanted_by, why=because)
    if form == "json":
        print_json(asked.model_dump(mode="json"))
        return
    run = asked.experiment
    if asked.is_new:
        write(
            f"{run.name}: the rollback is recorded; the candidate's traffic goes to zero at the next look\n"
        )
    else:
        write(f"{run.name}: a rollback was asked for before; it is {run.phase}\n")
    write(f"see it happen: rollout status {run.name} --watch\n")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        what, remedy = "the user who runs this has no name", "name yourself: --who NAME"
        raise WrongUsage(Problem("rollout rollback", what, remedy)) from None


def _checked(option: str, text: str, maximum: int) -> str:
    """Return the text without blanks at both ends, if there is any and it is not too long."""
    found = text.strip()
    if found and len(found) <= maximum:
        return found
    what = f"{option} is empty" if not found else f"{option} has more than {maximum} characters"
    raise WrongUsage(Problem("rollout rollback", what, "say it in a sentence"))
