"""`rollout version`: what is installed, as a report of a defect needs it."""

import platform
import sys
from importlib.metadata import version

import click

from rollout import __version__
from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table
from rollout.cli.root import epilog

NUMERICAL = ("numpy", "scipy", "statsmodels")


def parts() -> dict[str, str]:
    """Return the version of everything that can change a number."""
    return {
        "rollout": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in NUMERICAL},  # read from metadata: importing them takes seconds
        "platform": f"{sys.platform} {platform.machine()}",
    }


@click.command(
    "version",
    epilog=epilog(
        {
            "rollout version": "a table",
            "rollout version --output json": "the same for programs",
            "rollout --version": "one line",
        }
    ),
)
@output_option
@pass_invocation
def verb(invocation: Invocation, output: str | None) -> None:
    """Print the versions of rollout and what it rests on."""
    if (output or invocation.settings.output) == "json":
        print_json(parts())
    else:
        rows = [{"part": name, "version": value} for name, value in parts().items()]
        print_table(rows, invocation.settings.color)
