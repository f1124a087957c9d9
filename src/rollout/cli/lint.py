"""`rollout lint`: every mistake in policy files, each with file, line and key, before anything runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import print_json, write
from rollout.cli.root import epilog
from rollout.cli.strangers import strangers
from rollout.cli.usage import OneOf
from rollout.errors import ExitCode, NotReadable

if TYPE_CHECKING:
    from rollout.policyfile.finding import Finding
    from rollout.policyfile.reading import Reading


@click.command(
    "lint",
    epilog=epilog(
        {
            "rollout lint policies/churn.yaml": "one policy",
            "rollout lint policies/": "all in a folder; they must not collide either",
            "cat churn.yaml | rollout lint -": "from standard input",
            "rollout lint --output github policies/": "notes beside the lines of a pull request",
        }
    ),
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=OneOf(["text", "json", "github"]),
    help="How to print what was found.  [default: the setting `output`]",
)
@pass_invocation
def verb(invocation: Invocation, paths: Sequence[str], output: str | None) -> int:
    """Check policy files and name every mistake.

    PATH is a file, a folder, or - for standard input. Errors give exit code 1; warnings do not.
    """
    from rollout.cli.policy_files import read_all
    from rollout.policyfile.collisions import collisions
    from rollout.policyfile.finding import Severity

    form = output or invocation.settings.output
    readings, problems = read_all(paths)
    clashes = [*collisions(readings), *strangers(readings, invocation.settings)]
    findings = [
        finding
        for reading in readings
        for finding in (*reading.findings, *(clash for clash in clashes if clash.file == reading.file))
    ]
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    match form:
        case "json":
            print_json(_document(readings, errors, warnings))
        case "github":
            write("".join(f"{_annotation(finding)}\n" for finding in (*errors, *warnings)))
        case _:
            write(_text(len(readings), errors, warnings))
    if problems:
        raise NotReadable(*problems)
    return ExitCode.FINDINGS if errors else ExitCode.FINE


def _text(files: int, errors: "Sequence[Finding]", warnings: "Sequence[Finding]") -> str:
    from rollout.policyfile.finding import worded

    lines = [worded(finding) for finding in (*errors, *warnings)]
    counts = f"{_count(len(errors), 'error')}, {_count(len(warnings), 'warning')}"
    checked = "1 file" if files == 1 else f"{files} files"
    return "".join(f"{line}\n" for line in [*lines, f"{checked}: {counts}"])


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _document(
    readings: "Sequence[Reading]", errors: "Sequence[Finding]", warnings: "Sequence[Finding]"
) -> dict[str, object]:
    from rollout.policyfile.digest import digest

    return {
        "policies": [
            {
                "file": reading.file,
                "name": reading.policy.name if reading.policy else None,
                "digest": digest(reading.policy) if reading.policy else None,
            }
            for reading in readings
        ],
        "errors": [_entry(finding) for finding in errors],
        "warnings": [_entry(finding) for finding in warnings],
    }


def _entry(finding: "Finding") -> dict[str, object]:
    from rollout.policyfile.finding import path_text, worded

    return {
        "file": finding.file,
        "line": finding.line,
        "path": path_text(finding.path),
        "what": finding.what,
        "got": finding.got,
        "remedy": finding.remedy,
        "message": worded(finding),
    }


def _annotation(finding: "Finding") -> str:
    """Write one workflow command of GitHub Actions, which shows it beside the line."""
    from rollout.errors import printable
    from rollout.policyfile.finding import path_text, statement

    properties = {
        "file": finding.file,
        "line": str(finding.line or 1),
        "title": path_text(finding.path) or "policy",
    }
    written = ",".join(f"{name}={_escaped(printable(value), ':,')}" for name, value in properties.items())
    remedy = f"; {printable(finding.remedy)}" if finding.remedy else ""
    return f"::{finding.severity} {written}::{_escaped(statement(finding) + remedy)}"


def _escaped(text: str, also: str = "") -> str:
    for sign in "%\r\n" + also:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
