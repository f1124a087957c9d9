"""What a look knows of its own records: how far each source has come, what was lost, what is in no file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollout.domain.experiment import Experiment
from rollout.domain.metric import Metric, MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.quality import Gap, Quality, Reports, Told
from rollout.domain.records import Run
from rollout.intake.closed import Closed, sources_of
from rollout.lake.accounts.enrolment import SLICE_US
from rollout.lake.gaps import Completeness, Filed
from rollout.store.counts import Counts
from rollout.store.sql import ERRORS, WINDOWS


class Records:
    """Reads marks and losses at every look; the lake's files are compared with the cursors beside them."""

    def __init__(self, counts: Counts, lake: Path) -> None:
        self._counts = counts
        self._completeness = Completeness(lake, lambda: [Filed(*one) for one in counts.filed()])

    def quality(self, experiment: Experiment, run: Run, closed: Closed | None) -> Quality:
        """Return what is known now, beside what the lake's newest answer knows of its rows."""
        policy = experiment.policy
        return Quality(
            feeds=self._counts.feeds(),
            gaps=() if closed is None else closed.gaps,
            losses=self._counts.lost(run, since_us=experiment.started_us),
            units=None if closed is None else closed.units,
            two_armed=None if closed is None else closed.two_armed,
            ahead=None if closed is None else closed.ahead,
            told={} if closed is None else _told(policy, closed),
            reports={} if closed is None else _reports(closed),
            unmeasured=_left_out(policy, self._counts.incomplete(run), self._counts.rows),
        )

    def gaps(self, experiment: Experiment, now_us: int) -> tuple[Gap, ...]:
        """Return what the lake lacks that may be a run's."""
        return self._completeness.gaps(experiment.started_us, now_us)


def _told(policy: Policy, closed: Closed) -> dict[str, Told]:
    """Return the rows of every metric, those of all its outcomes together."""
    return {
        metric.name: _rows(metric, closed) for metric in policy.metrics if metric.source is Source.OUTCOMES
    }


def _rows(metric: Metric, closed: Closed) -> Told:
    own = [(name, found) for name in sources_of(metric) if (found := closed.received.get(name)) is not None]
    unusable = 0
    for name, found in own:
        match metric.type:
            case MetricType.BINARY:
                unusable += found.not_binary
            case MetricType.COUNT:
                unusable += found.not_whole
            case _:
                unusable += found.negative if name == metric.denominator else 0
    return Told(
        rows=sum(found.rows for _, found in own),
        repeated=sum(found.repeated - found.conflicting for _, found in own),
        conflicting=sum(found.conflicting for _, found in own),
        wrong_value=unusable,
    )


def _reports(closed: Closed) -> dict[str, Reports]:
    return {
        name: Reports(one.first_slice * SLICE_US, one.units, one.telling)
        for name, one in closed.rates.items()
    }


def _left_out(policy: Policy, incomplete: Mapping[str, int], most: int) -> dict[str, str]:
    """Return why metrics are absent whose tables are full, and what to do."""
    tables = {MetricType.ERROR_RATE: ERRORS, MetricType.LATENCY: WINDOWS}
    return {
        metric.name: f"its table is full ({most:,} rows): {incomplete[table]:,} were left out; "
        "raise counted_rows_limit, and go on as a new revision"
        for metric in policy.metrics
        if (table := tables.get(metric.type)) is not None and table in incomplete
    }
