"""What the control plane answered, in plain words: the sentences and cells of every verb about runs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.client.answers import (
        DecisionAnswer,
        EntryAnswer,
        ExperimentAnswer,
        LookAnswer,
        VerdictAnswer,
        WishAnswer,
    )

UNITS_S = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
BAR_CELLS = 12
ABSENT = "-"
PAIR = 2
"""One control and one candidate, which needs no number."""


POLLED = {
    "safe": "its last polls all kept it",
    "harmed": "its polls broke it one after another",
    "unclear": "its last polls do not agree, or measured nothing",
}
"""What a finding means where polls decide."""


def moment(at: datetime) -> str:
    """Write a moment to the second, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """Write a duration in its two largest units: `4m 12s`."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for unit, size in UNITS_S:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size}{unit}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2])


def weight(basis_points: int) -> str:
    """Write a share of the traffic: `12.5%`."""
    return f"{basis_points / 100:g}%"


def share(value: float) -> str:
    """Write a share of requests with the digits that it needs: `0.4%`, `12%`."""
    return f"{value * 100:.2g}%" if abs(value) < 1.0 else f"{value * 100:.0f}%"


def lift(value: float) -> str:
    """Write a change relative to the control: `+11.0%`."""
    return f"{value * 100:+.1f}%"


def place(experiment: "ExperimentAnswer") -> str:
    """Say where a run stands: `step 2 of 3 at 10%`."""
    return f"step {experiment.step} of {experiment.steps} at {weight(experiment.weight_bp)}"


def layer(experiment: "ExperimentAnswer") -> str | None:
    """Say which buckets of its layer a run has, and how `rollout assign` is told of them."""
    owned = experiment.layer
    if owned is None:
        return None
    size = f"buckets {owned.lo:,} to {owned.hi - 1:,} ({weight(owned.hi - owned.lo)})"
    return f"layer {owned.name}: {size}, as in `rollout assign --layer-from {owned.lo / 100:g}`"


def reason(said: "DecisionAnswer | EntryAnswer") -> str:
    """Write a decision's reason: what it speaks of, and who asked for it."""
    about = ", ".join(part for part in (said.candidate, said.metric) if part is not None)
    asked = "" if said.wish is None else f" ({wish(said.wish)})"
    return f"{about}: {said.sentence}{asked}" if about else f"{said.sentence}{asked}"


def wish(found: "WishAnswer") -> str:
    """Write who asked, in whose name, and why."""
    named = found.who if found.group is None else f"{found.who} for {found.group}"
    return f"{named}: {found.why}"


def units(in_step: Sequence[int]) -> str:
    """Write how many units each arm got: `control 9,000, candidate 9,000`."""
    names = ("control", "candidate") if len(in_step) == PAIR else ("control", *_numbered(len(in_step) - 1))
    return ", ".join(f"{name} {count:,}" for name, count in zip(names, in_step, strict=True))


def _numbered(candidates: int) -> tuple[str, ...]:
    return tuple(f"candidate {number}" for number in range(1, candidates + 1))


def decision(experiment: "ExperimentAnswer") -> str:
    """Write the last decision with its reason."""
    if experiment.decision is None:
        return "the first look is still to come"
    found = experiment.decision
    return f"{found.action}: {reason(found)}"


def standing(experiment: "ExperimentAnswer") -> str:
    """Write a run as one line, for logs and pipes."""
    at = experiment.started_at if experiment.decision is None else experiment.decision.at
    parts = (moment(at), experiment.name, experiment.phase, place(experiment), decision(experiment))
    return "  ".join(parts)


def estimate(verdict: "VerdictAnswer") -> str:
    """Write a verdict's estimate on its own scale."""
    return ABSENT if verdict.estimate is None else _number(verdict, verdict.estimate)


def limit(verdict: "VerdictAnswer") -> str:
    """Write what a verdict's estimate must keep by itself."""
    return ABSENT if verdict.limit is None else _number(verdict, verdict.limit)


def interval(verdict: "VerdictAnswer") -> str:
    """Write a verdict's interval, or where it is open."""
    if verdict.interval is None:
        return ABSENT
    low, high = verdict.interval
    if low is None or high is None:
        known = high if low is None else low
        bound = "" if known is None else f"{'below' if low is None else 'above'} {_number(verdict, known)}"
        return bound or ABSENT
    return f"{_number(verdict, low)} … {_number(verdict, high)}"


def staleness(look: "LookAnswer") -> str:
    """Say that the evidence is too old, and who holds it up; nothing while it is fresh."""
    if look.evidence_is_fresh:
        return ""
    held = "" if look.held_by is None else f": {look.held_by}"
    return f", too old for this step{held}"


def verdict_sentence(verdict: "VerdictAnswer") -> str:
    """Say what is known of one metric, and how far its proof has come."""
    named = verdict.metric if verdict.candidate is None else f"{verdict.candidate}: {verdict.metric}"
    return f"{named} is {verdict.finding}: {', '.join(_clauses(verdict))}"


def _absence(verdict: "VerdictAnswer") -> str:
    """Say that there is nothing to read, and whether there should be."""
    if verdict.scale.value == "value":
        return "nothing was measured yet" if verdict.is_immature else "its last polls measured nothing"
    return "no window can have closed yet" if verdict.is_immature else "not measured"


def _clauses(verdict: "VerdictAnswer") -> Iterable[str]:
    if verdict.why is not None:
        yield verdict.why
    if verdict.estimate is None:
        if verdict.why is None:
            yield _absence(verdict)
        return
    if verdict.scale.value == "value":
        bound = "" if verdict.limit is None else f", with a bound of {limit(verdict)}"
        yield f"{estimate(verdict)} when last polled{bound}"
        if bound and verdict.finding in POLLED:
            yield POLLED[verdict.finding]
        return
    may = f"of requests miss it, at most {limit(verdict)} may"
    about = "against the control" if verdict.limit is None else may
    yield f"{estimate(verdict)} {about}"
    if verdict.interval is not None:
        yield f"interval {interval(verdict)}"
    yield f"proof at {percent(verdict.proof)} of its bar"
    yield f"harm at {percent(verdict.harm)}"
    if verdict.is_outage:
        yield "baseline and candidate suffer together"


def entry_line(entry: "EntryAnswer", times: int = 1) -> str:
    """Write one decision of the timeline, and how often it was repeated."""
    repeated = f" ({times} looks)" if times > 1 else ""
    return f"{moment(entry.at)}  {entry.action}: {reason(entry)}{repeated}"


def percent(part: float) -> str:
    """Write a part of a whole; never 100% before it is whole."""
    return f"{int(part * 100)}%"


def bar(part: float, *, plain: bool, cells: int = BAR_CELLS) -> str:
    """Draw a part of a whole as a bar of so many cells; it is never full before the whole is there."""
    full, empty = ("#", "-") if plain else ("█", "░")
    filled = int(part * cells)
    return full * filled + empty * (cells - filled)


def _number(verdict: "VerdictAnswer", value: float) -> str:
    return {"lift": lift, "share": share}.get(verdict.scale.value, "{:g}".format)(value)
