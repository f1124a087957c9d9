"""How a run came to where it is: each move with its numbers, and between two moves what was waited for."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rollout.cli.words import entry_line, moment, verdict_sentence

if TYPE_CHECKING:
    from rollout.client.answers import EntryAnswer, ExperimentAnswer

WAITING = frozenset({"hold", "await"})


def timeline(experiment: "ExperimentAnswer", entries: "Sequence[EntryAnswer]") -> "Iterator[str]":
    """Write each move with the numbers it rests on, and between two moves what was waited for."""
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
                yield f"  {entry_line(entry)}  [{entry.number}]"
                for verdict in entry.look.verdicts:
                    yield f"    {verdict_sentence(verdict)}"
                yield f"    from then on: {entry.phase}, step {entry.step} of {entry.steps}"
    if not entries:
        yield f"  {moment(experiment.started_at)}  started as revision {experiment.revision}"


def _waited(looks: "Iterable[EntryAnswer]") -> "Iterator[str]":
    """Write each reason to hold once, at its first look: reasons may change back and forth for days."""
    found: dict[tuple[str, str | None, str | None], list[EntryAnswer]] = {}
    for look in looks:
        found.setdefault((look.reason, look.metric, look.candidate), []).append(look)
    for same in found.values():
        yield f"  {entry_line(same[0], len(same))}  [{same[0].number}]"
