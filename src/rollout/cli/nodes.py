"""`rollout nodes`: what every node serves, refuses and has lost, and which versions fare badly there."""

from typing import TYPE_CHECKING

import click

from rollout.cli.invocation import Invocation, pass_invocation
from rollout.cli.output import output_option, print_json, print_table, write
from rollout.cli.root import epilog
from rollout.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rollout.client.nodes import DegradationState, LossState, NodeAnswer, RefusedState

NOBODY = "no node has said how it stands; `rollout proxy --control …` starts one"


@click.command(
    "nodes",
    epilog=epilog(
        {
            "rollout nodes": "every node, one line each, and what is wrong below",
            "rollout nodes --output json": "for programs",
        }
    ),
)
@output_option
@pass_invocation
def verb(invocation: Invocation, output: str | None) -> None:
    """Show how the nodes stand.

    A node is live when its Envoy has acknowledged all that is wanted. What failed is counted since it began.
    """
    from rollout.cli.control import control_plane
    from rollout.logs import wall_clock

    with control_plane(invocation.settings) as control:
        found = control.nodes()
    if (output or invocation.settings.output) == "json":
        print_json(found.model_dump(mode="json"))
        return
    if not found.nodes:
        write(f"{NOBODY}\n")
        return
    print_table([_row(node, wall_clock()) for node in found.nodes], invocation.settings.color)
    lines = [f"{printable(line)}\n" for node in found.nodes for line in _wrong(node)]
    if lines:
        write("".join(["\n", *lines]))


def _row(node: "NodeAnswer", now: "datetime") -> dict[str, str]:
    from rollout.cli.words import ABSENT, duration

    state, seen = node.state, node.seen_at
    age = ABSENT if seen is None else f"{duration((now - seen).total_seconds())} ago"
    return {
        "node": node.name,
        "stands": "silent" if node.is_silent else "live" if node.is_live else "behind",
        "seen": age,
        "serves": ABSENT if state is None else f"{len(state.live):,}",
        "refuses": ABSENT if state is None else f"{len(state.refused):,}",
        "lost": ABSENT if state is None else f"{sum(one.rows for one in state.losses):,}",
        "envoy": ABSENT if state is None else _envoy(state.envoy_starts, has_failed=state.envoy_has_failed),
    }


def _envoy(starts: int, *, has_failed: bool) -> str:
    if has_failed:
        return "does not stay up"
    return "started once" if starts == 1 else f"started {starts:,} times"


def _wrong(node: "NodeAnswer") -> "Iterator[str]":
    """Say what a person should know of a node, a sentence each."""
    if node.state is None:
        yield f"{node.name}: it has handed in records, and has not said how it stands"
        return
    yield from (f"{node.name} refuses {_refused(one)}" for one in node.state.refused)
    yield from (f"{node.name} lost {_lost(one)}" for one in node.state.losses)
    yield from (f"{node.name}: {_fared(one)}" for one in node.state.degradation)


def _refused(one: "RefusedState") -> str:
    return f"{'everything' if one.experiment is None else one.experiment}: {one.reason}"


def _lost(one: "LossState") -> str:
    whose = "of any experiment" if one.experiment is None else f"of {one.experiment}, revision {one.revision}"
    return f"{one.rows:,} {one.kind} {whose}: nothing is concluded from that time"


def _fared(one: "DegradationState") -> str:
    from rollout.fleet.degradation import CAUSES, times

    parts = [f"{count:,} {CAUSES.get(cause, cause)}" for cause, count in one.fallbacks.items()]
    if one.ejections:
        parts.append(f"a host ejected {times(one.ejections)}")
    if one.healthy_hosts < one.hosts:
        parts.append(f"{one.hosts - one.healthy_hosts} of {one.hosts} hosts out now")
    if one.open_breakers:
        parts.append(f"at their limit: {', '.join(one.open_breakers)}")
    return f"{one.experiment}, revision {one.revision}, {one.arm}: {', '.join(parts)}"
