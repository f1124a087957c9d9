"""Raw records that are old enough are deleted, and never those that a running experiment still needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, assert_never

import duckdb

from rollout.domain.experiment import ENDED, Experiment
from rollout.domain.records import DAY_US
from rollout.lake import segments
from rollout.lake.keeping import Keeping
from rollout.lake.segments import Kind, Segment
from rollout.ports import Standing, Unread
from rollout.stats.windows import SKEW_US

GRACE_S: Final = 60.0
"""How long an expired file is kept for readers that have listed it."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records are kept, and when the oldest running experiment began; nothing when none runs."""

    keeping: Keeping
    oldest_needed_us: Callable[[], int | None]
    sum_up: Callable[[int], bool] = lambda _horizon_us: False
    """Has every running experiment need no request before a moment any more; false when it cannot yet."""

    def days(self, kind: Kind) -> int | None:
        """Return how long one table is kept."""
        return self.keeping.exposures_days if kind is Kind.EXPOSURES else self.keeping.outcomes_days


def oldest_needed_us(runs: Iterable[Standing | Unread]) -> int | None:
    """Return when the oldest run began that is not over; the beginning of time, while one cannot be read."""
    began: list[int] = []
    for run in runs:
        match run:
            case Unread():
                return 0
            case Standing(experiment):
                began += [] if experiment.phase in ENDED else [_needs_from_us(experiment)]
            case _:
                assert_never(run)
    return min(began, default=None)


def _needs_from_us(experiment: Experiment) -> int:
    """Return the time of the oldest record that a run can need: its units' own histories come before it."""
    before_s = max((metric.pre_window_s or 0.0 for metric in experiment.policy.metrics), default=0.0)
    return experiment.started_us - int(before_s * 1e6)


class Expiry:
    """Deletes the beginning of a log in two steps: no reader is given it, and a minute later it goes."""

    def __init__(
        self,
        engine: duckdb.DuckDBPyConnection,
        folder: Path,
        retention: Retention,
        *,
        now_s: Callable[[], float],
    ) -> None:
        self._engine, self._folder, self._retention, self._now_s = engine, folder, retention, now_s
        self._newest_us: dict[str, int] = {}

    def step(self, kind: Kind, counted: Mapping[tuple[str, str, str], int]) -> None:
        """Let expire what is due of what is counted, and delete what expired before the grace."""
        within, days = self._folder / kind, self._retention.days(kind)
        if days is not None:
            horizon_us = self._horizon_us(kind, days)
            for gone in self._due(kind, within, horizon_us, counted):
                segments.expire(within, gone)
        self._delete(within)

    def _horizon_us(self, kind: Kind, days: int) -> int:
        aged_us = int(self._now_s() * 1e6) - days * DAY_US
        needed_us = self._retention.oldest_needed_us()
        if needed_us is None or aged_us <= needed_us - SKEW_US:
            return aged_us
        # Once a day is often enough for what is summed up.
        day_us = aged_us // DAY_US * DAY_US
        is_summed_up = kind is Kind.EXPOSURES and day_us > needed_us and self._retention.sum_up(day_us)
        return day_us if is_summed_up else needed_us - SKEW_US

    def _due(
        self, kind: Kind, within: Path, horizon_us: int, counted: Mapping[tuple[str, str, str], int]
    ) -> list[Segment]:
        """Return how much of each log's beginning is old: a hole in its middle would look like a loss."""
        files = [found for path in segments.covering(within) if (found := Segment.of_name(path.name))]
        self._newest_us = {name: at for name, at in self._newest_us.items() if (within / name).exists()}
        due = []
        for (node, log), chain in groupby(files, key=lambda one: (one.node, one.log)):
            end = 0
            for segment in chain:
                is_counted = segment.end <= counted.get((kind, node, log), 0)
                if not is_counted or self._newest_of(within / segment.name) >= horizon_us:
                    break
                end = segment.end
            if end > 0:
                due.append(Segment(node, log, 0, end))
        return due

    def _newest_of(self, path: Path) -> int:
        """Return the latest time in a file, from its footer; a file without rows is as old as can be."""
        if path.name not in self._newest_us:
            asked = (
                "SELECT coalesce(max(stats_max_value::BIGINT), 0) FROM parquet_metadata($path) "
                "WHERE path_in_schema = 'ts_us'"
            )
            ((newest_us,),) = self._engine.execute(asked, {"path": str(path)}).fetchall()
            self._newest_us[path.name] = int(newest_us)
        return self._newest_us[path.name]

    def _delete(self, within: Path) -> None:
        """Delete what expired long enough ago for readers to know it, and stones that another one covers."""
        for (node, log), stone in segments.expired(within).items():
            newest = within / stone.name.replace(".parquet", segments.EXPIRED)
            if self._now_s() - newest.stat().st_mtime <= GRACE_S:
                continue
            for segment, path in list(segments.listed(within)):
                if (segment.node, segment.log) == (node, log) and segment.end <= stone.end:
                    path.unlink()
            for older in within.glob(f"{node}~{log}~*{segments.EXPIRED}"):
                if older != newest:
                    older.unlink()
