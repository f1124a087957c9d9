"""Runs whose policy polls one metric, and the polls that a look finds."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.evidence import Poll, PollEvidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.policy import Version
from rollout.intake.polled import PolledEvidence
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT

START_S = 1_700_000_000
INTERVAL_S = 10
SECOND_US = 1_000_000

METRIC = Metric(
    name="gpu",
    role=Role.SLO,
    source=Source.PROMETHEUS,
    type=MetricType.THRESHOLD,
    direction=Direction.DECREASE,
    window_s=30.0,
    query='gpu{version="{{arm.version}}"}',
    maximum=0.9,
    interval_s=float(INTERVAL_S),
    failure_limit=3,
)
TWO = (Version("2.0.0", "http://127.0.0.1:8002"), Version('2.1"\\', "http://127.0.0.1:8003"))


def polling(query: str = METRIC.query or "", **changes: object) -> Experiment:
    """Return a run that began at the start and polls one metric."""
    metric = replace(METRIC, query=query, **changes)  # type: ignore[arg-type]
    return running(metric)


def running(*metrics: Metric, candidates: tuple[Version, ...] = POLICY.candidates) -> Experiment:
    """Return a run that began at the start."""
    policy = replace(POLICY, metrics=(*POLICY.metrics, *metrics), candidates=candidates)
    began_us = START_S * SECOND_US
    return replace(EXPERIMENT, policy=policy, started_us=began_us, step_entered_us=began_us, step=0)


def watching(run: Experiment, after_s: float) -> Experiment:
    """Return the run when all traffic went to its winner."""
    return replace(
        run, phase=Phase.WATCHING, winner=1, watch_from_us=run.started_us + round(after_s * SECOND_US)
    )


def at(after_s: float) -> int:
    """Return a moment of the run."""
    return round((START_S + after_s) * SECOND_US)


def polls(source: PolledEvidence, run: Experiment, after_s: float, arm: int = 1) -> str:
    """Return a look's polls, the newest last: g good, b breach, - gap."""
    return written(source.observe(run, at(after_s)).evidence.arms[arm - 1].polls.get("gpu"))


def written(found: PollEvidence | None) -> str:
    """Write polls as one sign each."""
    signs = {Poll.GOOD: "g", Poll.BREACH: "b", Poll.GAP: "-"}
    return "" if found is None else "".join(signs[Poll(poll)] for poll in found.polls.tolist())


def told(source: PolledEvidence, run: Experiment, after_s: float) -> str:
    """Return a look's problems."""
    return "\n".join(str(problem) for problem in source.observe(run, at(after_s)).problems)
