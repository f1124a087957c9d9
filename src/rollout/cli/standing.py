"""Where a run stands, in plain words with the numbers: why, what it waits for, until when, and what to do."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rollout.cli import words

if TYPE_CHECKING:
    from rollout.client.answers import EntryAnswer, ExperimentAnswer, LookAnswer
    from rollout.client.nodes import NodeAnswer, NodesAnswer
    from rollout.client.records import RecordAnswer
    from rollout.client.waiting import OutlookAnswer

BROKEN = "units do not fall to the arms as split: no comparison can be trusted"


def present(
    run: "ExperimentAnswer", entries: "Sequence[EntryAnswer]", nodes: "NodesAnswer | None"
) -> Iterator[str]:
    """Say where it stands, why, what must happen next, and what all that rests on."""
    versions = f"{', '.join(run.candidates)} against {run.baseline}"
    yield f"{run.name}: {versions} on {run.path}, for {run.owner}"
    yield f"{run.phase}, {words.place(run)} of the traffic for each candidate"
    yield from (one.sentence for one in run.degraded)
    if (owned := words.layer(run)) is not None:
        yield owned
    if run.rollback_wish is not None:
        wish = run.rollback_wish
        yield f"{wish.who} asked for a rollback at {words.moment(wish.at)}: {wish.why}"
    if run.wish is not None:
        asked = run.wish
        yield f"asked for at {words.moment(asked.at)} and still to come: {asked.kind} ({words.wish(asked)})"
    cause = _cause(run, entries)
    if cause is not None:
        yield f"paused at {words.moment(cause.at)} by decision {cause.number}: {words.reason(cause)}"
    if run.decision is None or run.look is None:
        yield words.decision(run)
    else:
        yield f"since {words.moment(run.decision.since)}  {words.decision(run)}"
        yield f"rule: {run.decision.reason}, decision {run.decision.number}"
    if run.outlook is not None:
        yield from _broken(run.outlook)
        yield from _next(run.outlook, () if nodes is None else tuple(cut_off(run, nodes)))
        told = run.outlook.advice if cause is None else _advice(cause.reason, run.name)
        if told is not None:
            yield from ("", f"what to do: {told}")
    if run.look is not None and run.decision is not None:
        yield from ("", f"what it rests on, at {words.moment(run.look.at)}:", *_rests_on(run.look))


def decided(record: "RecordAnswer") -> Iterator[str]:
    """Explain one decision by what was recorded with it."""
    entry = record.entry
    yield f"{record.name}, decision {entry.number}, revision {entry.revision}"
    yield words.entry_line(entry)
    yield f"rule: {entry.reason}{_overruled(entry.reason)}"
    yield f"from then on: {entry.phase}, step {entry.step} of {entry.steps}"
    if (told := _advice(entry.reason, record.name)) is not None:
        yield f"what to do about it: {told}"
    if record.outlook is not None:
        yield from _broken(record.outlook)
        yield from _next(record.outlook, heading="what it waited for then:")
    yield from ("", "what it rested on:", *_rests_on(entry.look))
    if record.basis is not None:
        yield from ("", f"all of it was kept: rollout replay {record.name} {entry.number}")


def _cause(run: "ExperimentAnswer", entries: "Sequence[EntryAnswer]") -> "EntryAnswer | None":
    """Return the decision that paused a run, while it is paused."""
    if run.phase != "paused":
        return None
    return next((entry for entry in reversed(entries) if entry.action == "pause"), None)


def _broken(outlook: "OutlookAnswer") -> Iterator[str]:
    found = outlook.imbalance
    if found is None:
        return
    yield from ("", "the split is broken:", *(f"  {line}" for line in found.sentences))
    yield "  what breaks splits, the likeliest first:"
    yield from (f"    {number}. {cause}" for number, cause in enumerate(found.causes, start=1))


def _next(
    outlook: "OutlookAnswer", cut: Sequence[str] = (), *, heading: str = "what it waits for:"
) -> Iterator[str]:
    """Say what must happen, and until when; `cut` are the nodes that stand in the way."""
    if outlook.waits:
        yield from ("", heading)
        for wait in outlook.waits:
            yield f"  {wait.sentence}"
            if wait.what == "proxies":
                yield from (f"    {line}" for line in cut)
    if outlook.deadlines:
        yield from ("", "until when:", *(f"  {one.sentence}" for one in outlook.deadlines))


def cut_off(run: "ExperimentAnswer", nodes: "NodesAnswer") -> Iterator[str]:
    """Name the nodes that do not confirm a run's split, and why."""
    for node in nodes.nodes:
        if (why := _unlike(run, node)) is not None:
            yield f"{node.name} {why}"


def _unlike(run: "ExperimentAnswer", node: "NodeAnswer") -> str | None:
    if node.is_silent:
        since = "" if node.seen_at is None else f" since {words.moment(node.seen_at)}"
        return f"is cut off: it has not said how it stands{since}"
    refused = () if node.state is None else node.state.refused
    for one in refused:
        if one.experiment in {None, run.name} and one.revision in {None, run.revision}:
            return f"refuses it: {one.reason}"
    return None if node.is_live else "is behind: it has not taken up what is wanted yet"


def _rests_on(look: "LookAnswer") -> Iterator[str]:
    reach = "no evidence yet" if look.watermark is None else f"evidence up to {words.moment(look.watermark)}"
    yield f"  units in this step: {words.units(look.units_in_step)}; {reach}{words.staleness(look)}"
    if not look.split_holds:
        yield f"  {BROKEN}{_odds(look)}"
    for verdict in look.verdicts:
        yield f"  {words.verdict_sentence(verdict)}"


def _odds(look: "LookAnswer") -> str:
    """Write how sure it is that the split is broken: 1/e bounds p at every look."""
    from math import exp

    return "" if look.log_e_mismatch is None else f" (p = {exp(-look.log_e_mismatch):.2g} at every look)"


def _advice(reason: str, name: str) -> str | None:
    """Return what to do about a reason; a newer control plane may have one that is not known here."""
    from rollout.domain.advice import advice
    from rollout.domain.decision import Reason

    return advice(Reason[reason], name) if reason in Reason.__members__ else None


def _overruled(reason: str) -> str:
    from rollout.domain.decision import OVERRIDES

    return ", by which a person overruled the policy" if reason in {one.name for one in OVERRIDES} else ""
