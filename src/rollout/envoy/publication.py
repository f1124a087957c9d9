"""In which order files change: what goes off first, and nothing is named before it exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rollout.domain.assignment import Split
from rollout.envoy.document import Configuration, Document, Json, Kind
from rollout.envoy.weights import lowered

LONGEST_REASON: Final = 500
_WHOLE_FILE: Final = ': {"version_info"'
"""Where Envoy begins to repeat the file that it refuses, with all that nobody else may read."""
_MARKS: Final = ("config update rejected: ", "config update failure: ")


@dataclass(frozen=True, slots=True)
class Live:
    """What Envoy has acknowledged: the version of each file, and the splits by experiment and revision."""

    clusters: str
    routes: str
    weights: str
    splits: Mapping[tuple[str, int], Split]


@dataclass(frozen=True, slots=True)
class Unserved:
    """A placement that is not served as it should be, and why; without a name, nothing is to blame."""

    experiment: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Envoy serves what was asked for."""

    live: Live


@dataclass(frozen=True, slots=True)
class Refused:
    """Envoy does not serve all of what was asked for; what it serves instead is `live`."""

    reason: str
    """The first that was refused, in the words of whoever refused it."""
    live: Live
    unserved: tuple[Unserved, ...] = ()


def plan(before: Configuration, wanted: Configuration) -> tuple[Document, ...]:
    """Return the files to publish, each after the acknowledgement of the one before.

    Weights that go off come first, alone: a rollback never waits for another policy's routes. Then the
    clusters, old and new together, the routes, the weights that go on, and last the clusters without those
    that nobody names any more.
    """
    if before.routes == wanted.routes and before.clusters == wanted.clusters:
        steps: tuple[Document, ...] = (wanted.weights,)
    else:
        both = _together(before.clusters, wanted.clusters)
        first = lowered(before.weights, wanted.weights)
        steps = (first, both, wanted.routes, wanted.weights, wanted.clusters)
    published: list[Document] = []
    now = before
    for step in steps:
        if step.version != now.of_kind(step.kind).version:
            published.append(step)
            now = now.having(step)
    return tuple(published)


def reason_in(log: str) -> str | None:
    """Return Envoy's reason for its last refusal, from its own log, on one line."""
    reasons = [line.split(mark, 1)[1] for line in log.splitlines() for mark in _MARKS if mark in line]
    if not reasons:
        return None
    return " ".join(reasons[-1].partition(_WHOLE_FILE)[0].split())[:LONGEST_REASON]


def _together(before: Document, wanted: Document) -> Document:
    held: dict[Json, Mapping[str, Json]] = {
        one["name"]: one for one in (*before.resources, *wanted.resources)
    }
    return Document.of(Kind.CLUSTERS, held.values())
