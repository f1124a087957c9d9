"""`rollout outcomes`: outcomes that stand in files, checked, and handed to the control plane."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.outcome_options import Plan, reads_files
from rollout.cli.outcome_words import report
from rollout.cli.progress import progress
from rollout.cli.root import Group, epilog
from rollout.errors import ControlPlaneFailed, NotReadable, RequestRefused

if TYPE_CHECKING:
    from rollout.client.outcomes import WantedAnswer
    from rollout.outcomefile.findings import Findings
    from rollout.outcomefile.reading import Standard
    from rollout.outcomefile.source import Form
    from rollout.outcomefile.whole import Work

WORTH_SAYING_S = 2.0


@click.group(
    "outcomes",
    cls=Group,
    subcommand_metavar="VERB",
    epilog=epilog(
        {
            "rollout outcomes validate orders.csv": "what is wrong with it, and nothing is sent",
            "rollout outcomes import orders.csv": "every row counts once, however often it is imported",
        }
    ),
)
def verb() -> None:
    """Bring outcomes in files: CSV, JSON lines or Parquet, each text also as .gz.

    Columns are unit, metric, ts_us (microseconds since 1970) or time, value, and key, which may be left out.
    """


@verb.command(
    "validate",
    epilog=epilog(
        {
            "rollout outcomes validate orders.csv": "every mistake with its line; exit code 1 if any",
            "rollout outcomes validate orders.parquet --policy churn.yaml": "against a policy's metrics",
            "rollout outcomes validate - --format csv --offline < orders.csv": "and nobody is asked",
        }
    ),
)
@click.option("--policy", "policies", metavar="POLICY", multiple=True, help="Whose metrics are expected.")
@click.option("--offline", is_flag=True, help="Do not ask the control plane which metrics there are.")
@reads_files("validate")
@pass_invocation
def validate(
    invocation: Invocation, *, plan: Plan, policies: tuple[str, ...], offline: bool, output: str | None
) -> int:
    """Check files as the door for outcomes does, and send nothing.

    Without --policy the control plane is asked for its metrics; where none answers, metrics are not checked,
    and that is said.
    """
    standard, note = _standard(invocation, policies, offline=offline)
    return _validate(invocation, plan, standard, note, output)


@verb.command(
    "import",
    epilog=epilog(
        {
            "rollout outcomes import orders.csv --rejects mend.csv": "what is refused is kept, to be mended",
            "rollout outcomes import a.csv b.parquet c.jsonl.gz": "one after the other",
            "rollout outcomes import orders.csv --metric bought --map user=unit": "other names of columns",
            "zcat o.gz | rollout outcomes import - --format jsonl": "from standard input",
        }
    ),
)
@click.option("--dry-run", is_flag=True, help="Check only, as `rollout outcomes validate` does.")
@reads_files("import")
@pass_invocation
def import_(invocation: Invocation, *, plan: Plan, dry_run: bool, output: str | None) -> int:
    """Hand in files, over the same door as applications: what is taken is on the disk.

    The same file again, also after a kill, counts every row once: its key says which outcome of its unit and
    metric it is; without a key its time and value do. Exit code 1 if some rows are not taken.
    """
    if dry_run:
        standard, note = _standard(invocation, (), offline=False)
        return _validate(invocation, plan, standard, note, output)
    return report(_imported(invocation, plan), None, "taken", form=output or invocation.settings.output)


def _validate(
    invocation: Invocation, plan: Plan, standard: "Standard", note: str | None, output: str | None
) -> int:
    from rollout.outcomefile.whole import checking

    found = [_one(invocation, plan, named, checking(standard)) for named in plan.files]
    return report(found, note, "good", form=output or invocation.settings.output)


def _imported(invocation: Invocation, plan: Plan) -> "list[Findings]":
    """Hand in each file, until the door takes no more."""
    from rollout.cli.control import outcomes_door
    from rollout.client.connection import Patience
    from rollout.client.outcomes import LONG_PATIENCE
    from rollout.outcomefile.whole import handing

    with outcomes_door(invocation.settings, Patience()) as first:
        standard = _standard_of(first.wanted())
    found: list[Findings] = []
    with outcomes_door(invocation.settings, LONG_PATIENCE, _sleep) as door:
        for named in plan.files:
            found.append(_one(invocation, plan, named, handing(standard, door)))
            if found[-1].was_stopped:
                break
    return found


def _one(invocation: Invocation, plan: Plan, named: "tuple[str, Form]", work: "Work") -> "Findings":
    from rollout.outcomefile.source import Form, shown_name
    from rollout.outcomefile.whole import found_in

    name, form = named
    in_bytes = form is not Form.PARQUET
    with progress(f"reading {shown_name(name)}", invocation.color, in_bytes=in_bytes) as on_read:
        return found_in(named, plan.asked, work, rejects=plan.rejects, on_read=on_read)


def _standard(
    invocation: Invocation, policies: Sequence[str], *, offline: bool
) -> "tuple[Standard, str | None]":
    """Return what outcomes are checked against, and what is left unchecked."""
    from rollout.cli.control import outcomes_door
    from rollout.client.connection import Patience
    from rollout.outcomefile.reading import Standard

    if policies:
        from rollout.api.told import wanted
        from rollout.cli.policy_files import admitted, read_all

        readings, problems = read_all(policies)
        if problems:
            raise NotReadable(*problems)
        metrics = wanted(metric for reading in readings for metric in admitted(reading).metrics)
        return Standard(metrics, _now_us), None
    unchecked = "which metrics there are was not checked"
    if offline:
        return Standard(None, _now_us), f"{unchecked}: name policies with --policy"
    try:
        with outcomes_door(invocation.settings, Patience()) as door:
            return _standard_of(door.wanted()), None
    except (ControlPlaneFailed, RequestRefused) as error:
        return Standard(None, _now_us), f"{unchecked}: {error.problems[0]}"


def _standard_of(answer: "WantedAnswer") -> "Standard":
    from rollout.outcomefile.reading import Standard, wanted_of

    ahead_us = answer.now_us - _now_us()
    return Standard(wanted_of(answer.metrics), lambda: _now_us() + ahead_us)


def _sleep(seconds: float) -> None:
    if seconds >= WORTH_SAYING_S:
        click.echo(f"the control plane is away, or asks to wait: trying again in {seconds:.0f} s", err=True)
    time.sleep(seconds)


def _now_us() -> int:
    return time.time_ns() // 1_000
