"""What is shown of runs: one row for each, or one paragraph and one table of metrics."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rollout.cli import words

if TYPE_CHECKING:
    from rollout.client.answers import ExperimentAnswer, LookAnswer, VerdictAnswer

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
    look = newest(experiment)
    verdicts = () if look is None else look.verdicts
    return [
        {
            "metric": named(verdict),
            "role": verdict.role or "required",
            "finding": verdict.finding,
            "proof": words.ABSENT if is_polled(verdict) else words.percent(verdict.proof),
            "harm": words.ABSENT if is_polled(verdict) else words.percent(verdict.harm),
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
    look = newest(experiment)
    if look is not None:
        age = "none" if look.watermark is None else words.duration((now - look.watermark).total_seconds())
        stale = words.staleness(look)
        lines.append(f"units: {words.units(look.units_in_step)}; age of evidence: {age}{stale}")
        if not look.split_holds:
            lines.append("units do not fall to the arms as split: no comparison can be trusted")
        lines += [f"{named(one)}: {one.why}" for one in look.verdicts if one.why is not None]
    return lines


def is_polled(verdict: "VerdictAnswer") -> bool:
    """Return whether polls in a row decide: there is no proof that grows."""
    return verdict.scale.value == "value"


def newest(experiment: "ExperimentAnswer") -> "LookAnswer | None":
    """Return the newest look at a run, recorded or not."""
    return experiment.look if experiment.newest is None else experiment.newest


def _units(experiment: "ExperimentAnswer") -> str:
    look = newest(experiment)
    return words.ABSENT if look is None else " / ".join(map(str, look.units_in_step))


def named(verdict: "VerdictAnswer") -> str:
    """Return a metric's name, of several candidates with the version that it speaks of."""
    return verdict.metric if verdict.candidate is None else f"{verdict.candidate} {verdict.metric}"
