"""What a look knows of its own records: how far each source has come, what was lost, what is in no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout.domain.experiment import Experiment
from rollout.domain.metric import Metric, MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.quality import Gap, Quality, Reports, Told
from rollout.domain.records import Run
from rollout.intake.closed import Closed, sources_of
from rollout.intake.kept import Kept
from rollout.lake.accounts.enrolment import SLICE_US
from rollout.lake.gaps import Completeness, Filed
from rollout.stats import reporting
from rollout.stats.arrays import FloatArray
from rollout.store.counts import Counts
from rollout.store.sql import ERRORS, WINDOWS

FALLS_EVERY_US: Final = 10_000_000
GROWN: Final = 1.1
"""How long, and by how much more units, what was computed of reports stands."""


@dataclass(frozen=True, slots=True)
class _Fall:
    """What was computed of a metric's reports, when, and of how many units."""

    at_us: int
    units: int
    log_e: FloatArray

    def is_good_at(self, now_us: int, units: int) -> bool:
        """Return whether it need not be computed anew: it is young, and little has come since."""
        return 0 <= now_us - self.at_us < FALLS_EVERY_US and self.units <= units <= GROWN * self.units


class Records:
    """Reads marks and losses at every look; the lake's files are compared with the cursors beside them."""

    def __init__(self, counts: Counts, lake: Path) -> None:
        self._counts = counts
        self._falls = Kept[tuple[str, int, str], _Fall]()
        self._completeness = Completeness(lake, lambda: [Filed(*one) for one in counts.filed()])

    def quality(self, experiment: Experiment, run: Run, closed: Closed | None, now_us: int) -> Quality:
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
            reports={} if closed is None else self._reports(experiment, closed, now_us),
            unmeasured=_left_out(policy, self._counts.incomplete(run), self._counts.rows),
        )

    def _reports(self, experiment: Experiment, closed: Closed, now_us: int) -> dict[str, Reports]:
        """Return who reports; how loudly that speaks of a fall is computed now and then."""
        found = {}
        for name, one in closed.rates.items():
            key, units = (experiment.uid, experiment.revision, name), int(one.units.sum())
            known = self._falls.get(key)
            if known is None or not known.is_good_at(now_us, units):
                log_e = reporting.log_e_by_slice(one.units, one.telling)
                known = self._falls.keep(key, _Fall(now_us, units, log_e))
            found[name] = Reports(one.first_slice * SLICE_US, one.units, one.telling, known.log_e)
        return found

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


def _left_out(policy: Policy, incomplete: Mapping[str, int], most: int) -> dict[str, str]:
    """Return why metrics are absent whose tables are full, and what to do."""
    tables = {MetricType.ERROR_RATE: ERRORS, MetricType.LATENCY: WINDOWS}
    return {
        metric.name: f"its table is full ({most:,} rows): {incomplete[table]:,} were left out; "
        "raise counted_rows_limit, and go on as a new revision"
        for metric in policy.metrics
        if (table := tables.get(metric.type)) is not None and table in incomplete
    }
