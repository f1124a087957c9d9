"""Runs as the ledger tells them, with intervals that narrow as evidence grows."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.verdict import Finding, Judgement, Verdict
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, judgement

LOOKS = 24
Story = tuple[Experiment, tuple[Entry, ...]]


def _judged(look: int, *, errors: float, proven: bool) -> Judgement:
    """Return a look after so many hours; `errors` is how much worse the candidate is."""
    width = 0.6 / look**0.5
    finding = Finding.BETTER if proven else Finding.UNCLEAR
    drift = 0.03 * (-1) ** look / look
    verdicts = (
        Verdict("converted", finding, estimate=0.16 + drift, interval=(0.16 - width, 0.16 + width)),
        Verdict(
            "errors",
            Finding.HARMED if errors > 1 and look > LOOKS - 2 else Finding.SAFE,
            estimate=errors,
            interval=(errors - 2 * width, errors + 3 * width),
        ),
        Verdict(
            "p99", Finding.SAFE, estimate=0.004, interval=(max(0.004 - width / 60, 0.0), 0.004 + width / 60)
        ),
        Verdict("fallback", Finding.SAFE, estimate=0.0004, interval=None),
    )
    return replace(judgement(), verdicts=verdicts)


def _told(errors: float, ending: tuple[tuple[Reason, str | None, Phase], ...]) -> tuple[Entry, ...]:
    steps = {2: 1, 8: 2}
    entries: list[Entry] = []
    step = 0
    for look in range(1, LOOKS + 1):
        step = steps.get(look, step)
        reason = Reason.STEP_PASSED if look in steps else Reason.STEP_UNFINISHED
        if step == 2 and look not in steps:
            reason = Reason.GOAL_UNPROVEN
        metric, phase = ("converted" if reason is Reason.GOAL_UNPROVEN else None), Phase.RUNNING
        if look > LOOKS - len(ending):
            reason, metric, phase = ending[look - LOOKS + len(ending) - 1]
        judged = _judged(look, errors=errors, proven=look > LOOKS - 3)
        at_us = NOW_US + look * HOUR_US
        entries.append(
            Entry(
                number=look,
                at_us=at_us,
                decision=Decision(reason, metric),
                phase=phase,
                step=step,
                judgement=judged,
                watermark_us=at_us - 60_000_000,
                revision=1,
                policy=POLICY,
            )
        )
    return tuple(entries)


def _run(phase: Phase, step: int) -> Experiment:
    return replace(EXPERIMENT, policy=POLICY, phase=phase, step=step, started_us=NOW_US)


def promoted() -> Story:
    """Return a run that ended well."""
    ending = (
        (Reason.GOAL_PROVEN, None, Phase.PROMOTING),
        (Reason.PROMOTION_DONE, None, Phase.PROMOTED),
    )
    return _run(Phase.PROMOTED, 2), _told(0.0, ending)


def rolled_back() -> Story:
    """Return a run whose candidate failed."""
    ending = (
        (Reason.METRIC_HARMED, "errors", Phase.ROLLING_BACK),
        (Reason.ROLLBACK_DONE, None, Phase.ROLLED_BACK),
    )
    return _run(Phase.ROLLED_BACK, 2), _told(3.0, ending)


def begun() -> Story:
    """Return a run that nobody has looked at yet."""
    return _run(Phase.RUNNING, 0), ()


STORIES = {"promoted": promoted, "rolled-back": rolled_back, "begun": begun}
