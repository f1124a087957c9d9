"""`rollout start`: check a policy, hand it to the control plane, and say what was started."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, write
from rollout.cli.root import epilog
from rollout.errors import ExitCode, NotReadable, Problem, printable

if TYPE_CHECKING:
    from rollout.client.answers import ExperimentAnswer, StartedAnswer
    from rollout.client.control_plane import ControlPlane

SERVED_WITHIN_S = 20.0
ASKED_EVERY_S = 0.1
NOT_SERVED = (
    "no proxy has confirmed its traffic yet: it is published again and again; see the proxy's own log\n"
)


@click.command(
    "start",
    epilog=epilog(
        {
            "rollout start policies/churn.yaml": "check it, then start it",
            "rollout start churn.yaml && rollout status churn-v2 --watch": "and watch it",
            "cat churn.yaml | rollout start -": "from standard input",
        }
    ),
)
@click.argument("policy", metavar="POLICY")
@output_option
@pass_invocation
def verb(invocation: Invocation, policy: str, output: str | None) -> int:
    """Start the experiment that a policy file describes.

    POLICY is a file, or - for standard input. It is checked first: errors give exit code 1, and nothing is
    started. Starting the same policy twice changes nothing; a changed one takes effect at once, or begins a
    new revision, which discards the evidence: `rollout diff` says which.
    """
    from rollout.cli.control import control_plane
    from rollout.cli.policy_files import SHOWN_INPUT, STANDARD_INPUT
    from rollout.policyfile.finding import worded
    from rollout.policyfile.reading import read_bytes

    form = output or invocation.settings.output
    file = SHOWN_INPUT if policy == STANDARD_INPUT else policy
    content = _content(policy)
    reading = read_bytes(content, file)
    for finding in reading.findings:
        click.echo(worded(finding), err=True)
    if reading.policy is None:
        click.echo(f"{file}: nothing was started", err=True)
        return ExitCode.FINDINGS
    with control_plane(invocation.settings) as control:
        started, refusals = _once_served(control, control.start(content, file=file))
    if form == "json":
        print_json(started.model_dump(mode="json"))
    else:
        write(_text(started))
    for refusal in refusals:
        click.echo(printable(refusal), err=True)
    return ExitCode.FINDINGS if refusals else ExitCode.FINE


def _once_served(
    control: "ControlPlane", started: "StartedAnswer"
) -> "tuple[StartedAnswer, tuple[str, ...]]":
    """Return what was started once the proxies serve it, or with which of them refuse it and why.

    Who calls the route next, finds it.
    """
    until_s = time.monotonic() + SERVED_WITHIN_S
    while not started.experiment.traffic_is_live and time.monotonic() < until_s:
        time.sleep(ASKED_EVERY_S)
        now = control.experiment(started.experiment.name)
        if now.uid != started.experiment.uid:
            break
        started = started.model_copy(update={"experiment": now})
        if not now.traffic_is_live and (refusals := _refusals(control, now)):
            return started, refusals
    return started, ()


def _refusals(control: "ControlPlane", run: "ExperimentAnswer") -> tuple[str, ...]:
    """Return which nodes refuse a run as it is now, and in which words."""
    return tuple(
        f"{node.name} refuses {run.name}: {one.reason}"
        for node in control.nodes().nodes
        for one in (() if node.state is None else node.state.refused)
        if (one.experiment, one.revision) == (run.name, run.revision)
    )


def _content(policy: str) -> bytes:
    """Return what the file holds, or enough of it to see that it is too large."""
    from rollout.cli.policy_files import STANDARD_INPUT
    from rollout.policyfile.reading import MAXIMUM_BYTES

    if policy == STANDARD_INPUT:
        return sys.stdin.buffer.read(MAXIMUM_BYTES + 1)
    try:
        with Path(policy).open("rb") as stream:
            return stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise NotReadable(Problem(policy, what, "name a policy file that can be read")) from None


def _text(started: "StartedAnswer") -> str:
    from rollout.cli.words import moment, place, weight

    run = started.experiment
    if started.change == "at-once":
        return f"{run.name} goes on with its evidence, and the changes take effect at once: {run.phase}\n"
    if started.change is None and not started.is_new:
        return f"{run.name} has this policy since {moment(run.started_at)} UTC: {run.phase}, {place(run)}\n"
    story = ", ".join(weight(basis_points) for basis_points in run.step_weights_bp)
    versions = f"{', '.join(run.candidates)} against {run.baseline} on {run.path}"
    begun = "started"
    if started.change == "new-revision":
        begun = f"began revision {run.revision}, without the evidence so far, of"
    served = "" if run.traffic_is_live else NOT_SERVED
    return (
        f"{begun} {run.name} ({run.uid}): {versions}\n"
        f"steps per candidate: {story}\n{served}"
        f"watch it: rollout status {run.name} --watch\n"
    )
