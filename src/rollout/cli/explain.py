"""`rollout explain`: the last decision, what it rests on, and how it came to that."""

from itertools import groupby
from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, write
from rollout.cli.root import epilog
from rollout.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rollout.client.answers import EntryAnswer, ExperimentAnswer, LookAnswer

WAITING = frozenset({"hold", "await"})


@click.command(
    "explain",
    epilog=epilog(
        {
            "rollout explain churn-v2": "why it is where it is",
            "rollout explain churn-v2 --output json": "every recorded look, for programs",
        }
    ),
)
@click.argument("name", metavar="NAME")
@output_option
@pass_invocation
def verb(invocation: Invocation, name: str, output: str | None) -> None:
    """Say what was decided, why, and on which numbers.

    Times are UTC. A proof is complete at 100% of its bar; harm rolls back at 100%.
    """
    from rollout.cli.control import control_plane

    form = output or invocation.settings.output
    with control_plane(invocation.settings) as control:
        experiment = control.experiment(name)
        entries = control.history(name)
    if form == "json":
        document = {
            "experiment": experiment.model_dump(mode="json"),
            "history": [entry.model_dump(mode="json") for entry in entries],
        }
        print_json(document)
        return
    write("".join(f"{line}\n" for line in explained(experiment, entries)))


def explained(experiment: "ExperimentAnswer", entries: "Sequence[EntryAnswer]") -> list[str]:
    """Return the explanation, line by line."""
    lines = [*_present(experiment), "", "how it came to that:", *_timeline(experiment, entries)]
    return [printable(line) for line in lines]


def _present(experiment: "ExperimentAnswer") -> "Iterator[str]":
    """Say where it stands, the last decision, and what it rests on."""
    from rollout.cli.words import decision, layer, moment, place
    from rollout.cli.words import wish as named

    versions = f"{', '.join(experiment.candidates)} against {experiment.baseline}"
    yield f"{experiment.name}: {versions} on {experiment.path}, for {experiment.owner}"
    yield f"{experiment.phase}, {place(experiment)} of the traffic for each candidate"
    yield from (one.sentence for one in experiment.degraded)
    if (owned := layer(experiment)) is not None:
        yield owned
    if experiment.rollback_wish is not None:
        wish = experiment.rollback_wish
        yield f"{wish.who} asked for a rollback at {moment(wish.at)}: {wish.why}"
    if experiment.wish is not None:
        asked = experiment.wish
        yield f"asked for at {moment(asked.at)} and still to come: {asked.kind} ({named(asked)})"
    if experiment.decision is None or experiment.look is None:
        yield decision(experiment)
        return
    yield f"since {moment(experiment.decision.since)}  {decision(experiment)}"
    yield ""
    yield f"what it rests on, at {moment(experiment.look.at)}:"
    yield from _look(experiment.look)


def _look(look: "LookAnswer") -> "Iterator[str]":
    from rollout.cli.words import moment, staleness, units, verdict_sentence

    reach = "no evidence yet" if look.watermark is None else f"evidence up to {moment(look.watermark)}"
    yield f"  units in this step: {units(look.units_in_step)}; {reach}{staleness(look)}"
    if not look.split_holds:
        yield "  units do not fall to the arms as split: no comparison can be trusted"
    for verdict in look.verdicts:
        yield f"  {verdict_sentence(verdict)}"


def _timeline(experiment: "ExperimentAnswer", entries: "Sequence[EntryAnswer]") -> "Iterator[str]":
    """Write each move with the numbers it rests on, and between two moves what was waited for."""
    from rollout.cli.words import entry_line, moment, verdict_sentence

    for revision, own in groupby(entries, key=lambda entry: entry.revision):
        if revision == experiment.revision:
            yield f"  {moment(experiment.started_at)}  started as revision {revision}"
        else:
            yield f"  revision {revision}, of whose evidence nothing counts any more"
        for is_waiting, looks in groupby(own, key=lambda entry: entry.action in WAITING):
            if is_waiting:
                yield from _waited(looks)
                continue
            for entry in looks:
                yield f"  {entry_line(entry)}"
                for verdict in entry.look.verdicts:
                    yield f"    {verdict_sentence(verdict)}"
                yield f"    from then on: {entry.phase}, step {entry.step} of {entry.steps}"
    if not entries:
        yield f"  {moment(experiment.started_at)}  started as revision {experiment.revision}"


def _waited(looks: "Iterable[EntryAnswer]") -> "Iterator[str]":
    """Write each reason to hold once, at its first look: reasons may change back and forth for days."""
    from rollout.cli.words import entry_line

    found: dict[tuple[str, str | None, str | None], list[EntryAnswer]] = {}
    for look in looks:
        found.setdefault((look.reason, look.metric, look.candidate), []).append(look)
    for same in found.values():
        yield f"  {entry_line(same[0], len(same))}"
