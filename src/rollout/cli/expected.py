"""The options that stand for a policy's `expect`: traffic and baselines of another day, another market."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from rollout.errors import Problem, WrongUsage

if TYPE_CHECKING:
    from rollout.domain.policy import Policy
    from rollout.policyfile.finding import Complaint
    from rollout.policyfile.reading import Reading

TRAFFIC = {"units": "--units", "requests": "--requests"}
EXAMPLES = {"--units": "--units 400000/day", "--requests": "--requests 200/s"}
LEVEL_EXAMPLES = "--level converted=12% or --level revenue=3.1,sd=9"

Verb = TypeVar("Verb", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Expected:
    """What was said on the command line, as it was written."""

    units: str | None
    requests: str | None
    levels: Sequence[str]


def expected_options(verb: Verb) -> Verb:
    """Add the options to a verb."""
    options = (
        click.option("--units", metavar="RATE", help="Eligible units a day, such as 400000/day."),
        click.option("--requests", metavar="RATE", help="Requests a second, such as 200/s."),
        click.option(
            "--level",
            "levels",
            multiple=True,
            metavar="NAME=LEVEL",
            help=f"What the baseline does in a metric, such as {LEVEL_EXAMPLES}; may be repeated.",
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def flag(name: str) -> str:
    """Return the option that says what stands under this name below `expect`."""
    return EXAMPLES[TRAFFIC[name]] if name in TRAFFIC else f"--level {name}=…"


def policy_with(command: str, reading: "Reading", expected: Expected) -> "Policy":
    """Return the policy as if its file said what the command line says; raises what is wrong with either."""
    from rollout.cli.policy_files import admitted
    from rollout.policyfile.expecting import expecting

    policy, said = admitted(reading), _said(command, expected)
    if not said or reading.root is None:
        return policy
    changed, found = expecting(reading.root, said)
    if changed is None:
        raise WrongUsage(*(_worded(command, complaint, said) for complaint in found))
    return changed


def _said(command: str, expected: Expected) -> dict[tuple[str, ...], str]:
    """Return each value under its keys below `expect`."""
    said: dict[tuple[str, ...], str] = {}
    if expected.units is not None:
        said["units",] = expected.units
    if expected.requests is not None:
        said["requests",] = expected.requests
    for written in expected.levels:
        name, sign, level = written.partition("=")
        mean, comma, rest = level.partition(",")
        key, equals, deviation = rest.partition("=")
        if not (name and sign and mean) or bool(comma) != (key == "sd" and bool(equals) and bool(deviation)):
            what = f"--level must be NAME=LEVEL (got {written!r})"
            raise WrongUsage(Problem(command, what, f"write, say, {LEVEL_EXAMPLES}"))
        if name in TRAFFIC:
            raise WrongUsage(Problem(command, f"{name} is no metric", f"give it with {flag(name)}"))
        said[name, "mean"] = mean
        if comma:
            said[name, "sd"] = deviation
    return said


def _worded(command: str, complaint: "Complaint", said: dict[tuple[str, ...], str]) -> Problem:
    """Return what is wrong with an option's value; the file itself has been read before without errors."""
    from rollout.policyfile.finding import path_text

    _, _, *rest = map(str, complaint.path)
    name = rest[0] if rest else ""
    if name not in {path[0] for path in said}:
        return Problem(command, f"{path_text(complaint.path)} {complaint.what}", "see `rollout lint`")
    value = next((said[path] for path in said if path == tuple(rest)), None)
    got = "" if value is None or not complaint.shows_value else f" (got {value!r})"
    option = TRAFFIC.get(name, f"--level {name}")
    example = EXAMPLES.get(option, LEVEL_EXAMPLES)
    return Problem(
        command, f"{option} {_led(complaint.what)}{got}", complaint.remedy or f"write, say, {example}"
    )


def _led(what: str) -> str:
    """Return what is wrong so that it can follow the option's name."""
    return what if what.startswith(("must", "is", "leaves")) else f"is {what}"
