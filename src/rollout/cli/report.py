"""`rollout report`: an experiment's report as a page, as Markdown, or for programs."""

import click

from rollout.cli.files import save
from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.names import experiment_name
from rollout.cli.output import write
from rollout.cli.root import epilog
from rollout.cli.usage import OneOf


@click.command(
    "report",
    epilog=epilog(
        {
            "rollout report churn-v2": "as Markdown, to read here",
            "rollout report churn-v2 --html churn.html": "a page for the browser",
            "rollout report churn-v2 --markdown churn.md --html churn.html": "both",
            "rollout report churn-v2 --output json": "for programs",
        }
    ),
)
@experiment_name
@click.option("--html", metavar="FILE", help="Write the page to this file.")
@click.option("--markdown", metavar="FILE", help="Write the Markdown to this file.")
@click.option(
    "-o",
    "--output",
    type=OneOf(["text", "json", "html"]),
    help="How to print when no file is named; `text` is Markdown.  [default: the setting `output`]",
)
@pass_invocation
def verb(
    invocation: Invocation, name: str, html: str | None, markdown: str | None, output: str | None
) -> None:
    """Write an experiment's report: the answer, the numbers, and why.

    Without a file it is printed.
    """
    from rollout.cli.control import control_plane
    from rollout.client.answers import ReportFormat

    form = output or invocation.settings.output
    files = {ReportFormat.HTML: html, ReportFormat.MARKDOWN: markdown}
    wanted = {kind: file for kind, file in files.items() if file is not None}
    with control_plane(invocation.settings) as control:
        for kind, file in wanted.items():
            save(file, control.report(name, kind))
        if not wanted:
            kind = ReportFormat.MARKDOWN if form == "text" else ReportFormat(form)
            write(f"{control.report(name, kind).rstrip()}\n")
