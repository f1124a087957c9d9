"""What a terminal shows of runs: one paragraph and one table of metrics for each, made anew at every look."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rollout.cli import words
from rollout.errors import printable

if TYPE_CHECKING:
    from rollout.client.answers import ExperimentAnswer, VerdictAnswer

FINDING_STYLES = {
    "better": "bold green",
    "safe": "green",
    "unclear": "yellow",
    "missing": "magenta",
    "harmed": "bold red",
}
PHASE_STYLES = {
    "promoted": "bold green",
    "rolled-back": "bold red",
    "rolling-back": "bold red",
    "action-failed": "bold red",
    "paused": "bold yellow",
    "awaiting-approval": "bold yellow",
    "watching": "bold green",
}
NOTHING = "no experiments yet; start one: rollout start POLICY"


def overview(experiments: "Sequence[ExperimentAnswer]") -> list[dict[str, str]]:
    """Return one row for each run."""
    return [
        {
            "name": run.name,
            "phase": run.phase,
            "step": f"{run.step} of {run.steps}",
            "weight": words.weight(run.weight_bp),
            "units": _units(run),
            "decision": words.decision(run),
            "since": words.moment(run.started_at if run.decision is None else run.decision.since),
        }
        for run in experiments
    ]


def metrics(experiment: "ExperimentAnswer") -> list[dict[str, str]]:
    """Return one row for each metric, with numbers in the place of bars."""
    verdicts = () if experiment.look is None else experiment.look.verdicts
    return [
        {
            "metric": _named(verdict),
            "role": verdict.role or "required",
            "finding": verdict.finding,
            "proof": words.ABSENT if _is_polled(verdict) else words.percent(verdict.proof),
            "harm": words.ABSENT if _is_polled(verdict) else words.percent(verdict.harm),
            "estimate": words.estimate(verdict),
            "interval": words.interval(verdict),
        }
        for verdict in verdicts
    ]


def headline(experiment: "ExperimentAnswer", now: datetime) -> list[str]:
    """Return the lines above the metrics: where it stands, what was decided since when, on how much."""
    versions = f"{', '.join(experiment.candidates)} against {experiment.baseline} on {experiment.path}"
    lines = [f"{experiment.name}  {experiment.phase}, {words.place(experiment)}  ({versions})"]
    since = experiment.started_at if experiment.decision is None else experiment.decision.since
    lasting = words.duration((now - since).total_seconds())
    lines.append(f"{words.decision(experiment)}  (for {lasting})")
    if experiment.rollback_wish is not None:
        wish = experiment.rollback_wish
        lines.append(f"{wish.who} asked for a rollback: {wish.why}")
    if experiment.wish is not None:
        lines.append(f"asked for and still to come: {experiment.wish.kind} ({words.wish(experiment.wish)})")
    lines += [one.sentence for one in experiment.degraded]
    if (layer := words.layer(experiment)) is not None:
        lines.append(layer)
    if experiment.stopped:
        lines.append(f"stopped: {', '.join(experiment.stopped)}")
    if experiment.waits_for:
        lines.append(f"waits for the approval of: {', '.join(experiment.waits_for)}")
    if experiment.look is not None:
        look = experiment.look
        age = "none" if look.watermark is None else words.duration((now - look.watermark).total_seconds())
        stale = words.staleness(look)
        lines.append(f"units: {words.units(look.units_in_step)}; age of evidence: {age}{stale}")
        if not look.split_holds:
            lines.append("units do not fall to the arms as split: no comparison can be trusted")
        lines += [f"{_named(one)}: {one.why}" for one in look.verdicts if one.why is not None]
    return lines


def board(
    experiments: "Sequence[ExperimentAnswer]", now: datetime, *, plain: bool, note: str | None = None
) -> RenderableType:
    """Return what the terminal shows now; `note` stands below it."""
    parts: list[RenderableType] = [_panel(run, now, plain=plain) for run in experiments]
    if not experiments:
        parts.append(Text(NOTHING))
    if note is not None:
        parts.append(Text(printable(note), style="yellow"))
    return Group(*parts)


def _panel(experiment: "ExperimentAnswer", now: datetime, *, plain: bool) -> RenderableType:
    first, *rest = (printable(line) for line in headline(experiment, now))
    style = PHASE_STYLES.get(experiment.phase, "bold")
    return Padding(
        Group(Text(first, style=style), *(Text(line) for line in rest), _table(experiment, plain=plain)),
        (0, 0, 1, 0),
    )


def _table(experiment: "ExperimentAnswer", *, plain: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("METRIC", "ROLE", "FINDING", "PROOF", "HARM", "ESTIMATE", "INTERVAL"):
        table.add_column(name, no_wrap=True)
    for verdict in () if experiment.look is None else experiment.look.verdicts:
        table.add_row(
            Text(printable(_named(verdict))),
            Text(verdict.role or "required"),
            Text(verdict.finding, style=FINDING_STYLES.get(verdict.finding, "")),
            Text(words.ABSENT) if _is_polled(verdict) else _bar(verdict.proof, "green", plain=plain),
            Text(words.ABSENT) if _is_polled(verdict) else _bar(verdict.harm, "red", plain=plain),
            Text(words.estimate(verdict)),
            Text(_interval(verdict)),
        )
    return table


def _is_polled(verdict: "VerdictAnswer") -> bool:
    """Return whether polls in a row decide: there is no proof that grows."""
    return verdict.scale.value == "value"


def _bar(part: float, style: str, *, plain: bool) -> Text:
    return Text.assemble((words.bar(part, plain=plain), style), f" {words.percent(part):>4}")


def _interval(verdict: "VerdictAnswer") -> str:
    """Write the interval, and the limit that it is to be compared with."""
    limit = "" if verdict.limit is None else f"  (limit {words.limit(verdict)})"
    return f"{words.interval(verdict)}{limit}"


def _units(experiment: "ExperimentAnswer") -> str:
    if experiment.look is None:
        return words.ABSENT
    return " / ".join(map(str, experiment.look.units_in_step))


def _named(verdict: "VerdictAnswer") -> str:
    return verdict.metric if verdict.candidate is None else f"{verdict.candidate} {verdict.metric}"
