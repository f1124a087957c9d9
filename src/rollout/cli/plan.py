"""`rollout plan`: how long a policy takes, what it can prove, and what to change, before anything runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rollout.cli.expected import Expected, expected_options
from rollout.cli.files import save
from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option
from rollout.cli.root import epilog
from rollout.errors import ExitCode, Problem, WrongPolicy

if TYPE_CHECKING:
    from rollout.domain.plan.plan import Plan
    from rollout.policyfile.finding import Finding

VERB = "rollout plan"


@click.command(
    "plan",
    epilog=epilog(
        {
            "rollout plan churn.yaml": "with what its `expect` says",
            "rollout plan churn.yaml --units 40000/day": "with a tenth of the traffic",
            "rollout plan churn.yaml --level converted=3.1%": "with another baseline",
            "rollout plan churn.yaml --html plan.html": "a page with a picture, for the review",
            "rollout plan churn.yaml --svg plan.svg": "the picture alone",
            "rollout plan churn.yaml --output json": "for programs",
        }
    ),
)
@click.argument("policy", metavar="POLICY")
@expected_options
@click.option("--html", metavar="FILE", help="Write a page with the picture to this file.")
@click.option("--svg", metavar="FILE", help="Write the picture to this file.")
@output_option
@pass_invocation
def verb(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    invocation: Invocation,
    policy: str,
    units: str | None,
    requests: str | None,
    levels: Sequence[str],
    html: str | None,
    svg: str | None,
    output: str | None,
) -> int:
    """Say how long a policy takes, what it can prove, and what to change.

    POLICY is a file, or - for standard input. Traffic and baselines are what its `expect` says; options win.
    Exit code 3: it cannot conclude within its own deadlines.
    """
    from rollout.cli.expected import policy_with
    from rollout.cli.planned import findings, print_document, print_plan
    from rollout.cli.policy_files import reading_in
    from rollout.domain.look import Patience
    from rollout.domain.plan.plan import plan

    reading = reading_in(policy)
    planned = plan(policy_with(VERB, reading, Expected(units, requests, levels)), Patience())
    found = findings(planned, reading)
    if planned.unknowns and not planned.is_refused:
        raise WrongPolicy(*_unknown(planned, found))
    if (output or invocation.settings.output) == "json":
        print_document(planned, found)
    else:
        print_plan(planned, found, invocation.color)
    _draw(planned, found, html, svg)
    return ExitCode.REFUSED if planned.is_refused else ExitCode.FINE


def _unknown(planned: "Plan", found: "Sequence[Finding]") -> list[Problem]:
    """Return what the policy does not say, and the options that could."""
    from rollout.cli.expected import flag
    from rollout.policyfile.finding import place

    lacking = [
        (one, finding) for one, finding in zip(planned.advice, found, strict=True) if one in planned.unknowns
    ]
    return [
        Problem(place(finding), one.what, f"{one.remedy}, or give {flag(str(one.path[-1]))}")
        for one, finding in lacking
    ]


def _draw(planned: "Plan", found: "Sequence[Finding]", html: str | None, svg: str | None) -> None:
    from rollout.policyfile.finding import worded

    if html is not None:
        from rollout.render.plan_page import plan_page

        save(html, plan_page(planned, [worded(one) for one in found]))
    if svg is not None:
        from rollout.render.plan_chart import plan_picture

        save(svg, plan_picture(planned))
