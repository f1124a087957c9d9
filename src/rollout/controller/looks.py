"""Which looks are kept: every change of mind, and enough in between for a picture, but never too many."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.domain.basis import Query
from rollout.domain.decision import QUIET, Decision
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.verdict import Judgement
from rollout.ports import Standing

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw, when, and up to when its evidence reached."""

    at_us: int
    judgement: Judgement
    watermark_us: int | None
    evidence: Evidence | None = None
    """What it was judged by; none where the last look counts."""
    queries: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Album:
    """How many looks a run keeps: their distance grows with its age, so their number with its logarithm."""

    least_s: float = 2.0
    per_age: int = 100
    """While a run's age doubles, 0.7 times as many looks are kept: about 1,000 in a fortnight."""
    early: float = 0.75
    """After this share of the distance a look may be kept, when that spares a write."""
    flutter_s: float = 30.0
    """The least distance of reasons that change back and forth in an old run; less in a young one."""
    freshness_s: float = 300.0
    """Recorded freshness lags by at most a tenth of this, and of how long the policy waits for evidence.

    That is half a gap that counts; a thousand runs would else write 200 times a second that all is well.
    """

    def entry(self, seen: Standing, after: Experiment, decision: Decision, look: Look) -> Entry | None:
        """Return the entry that this look adds to the history, or None when it is not kept."""
        if not self._is_kept(seen, after, decision, look):
            return None
        return Entry(
            number=1 if seen.last is None else seen.last.number + 1,
            at_us=look.at_us,
            decision=decision,
            phase=after.phase,
            step=after.step,
            judgement=look.judgement,
            watermark_us=look.watermark_us,
            revision=after.revision,
            policy=after.policy,
        )

    def state_is_due(self, before: Experiment, after: Experiment) -> bool:
        """Return whether state alone is worth recording: anything but that evidence has just been fresh."""
        is_news = replace(after, fresh_us=before.fresh_us) != before
        return is_news or after.fresh_us - before.fresh_us >= self._lag_us(after)

    def _lag_us(self, run: Experiment) -> float:
        return min(self.freshness_s, run.policy.decide.no_data_hold_s) * _SECOND_US / 10

    def _is_kept(self, seen: Standing, after: Experiment, decision: Decision, look: Look) -> bool:
        last, before = seen.last, seen.experiment
        if last is None or last.revision != after.revision:
            return True
        if decision.wish is not None or _place(after) != _place(before):
            return True
        since_us, age_us = look.at_us - last.at_us, look.at_us - before.started_us
        if decision != last.decision:
            return since_us >= min(self.flutter_s * _SECOND_US, age_us / (20 * self.per_age))
        picture_us = max(self.least_s * _SECOND_US, age_us / self.per_age)
        if decision.action not in QUIET or not look.judgement.evidence_is_fresh:
            return False
        left_us = picture_us - since_us
        # Where state is written now, and would not be again before the picture is due, one write is enough.
        is_nearly_due = since_us >= self.early * picture_us and left_us < self._lag_us(after)
        return left_us <= 0 or (is_nearly_due and self.state_is_due(before, after))


def _place(experiment: Experiment) -> tuple[object, ...]:
    """Return what no change of may go unrecorded."""
    return (experiment.phase, experiment.step, experiment.stopped)
