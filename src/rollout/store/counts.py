"""The counts of everything filed: one transaction for each segment, and what the fast loop reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection, text

from rollout.domain.quality import Feed, Loss
from rollout.domain.records import MINUTE_US, Digest, RatioSums, Run, Tally, Threshold
from rollout.store import error_counts, losses, marks, tallies, window_counts
from rollout.store.database import Database
from rollout.store.error_counts import FirstErrors
from rollout.store.intake_tables import LogCursorRow
from rollout.store.losses import ANYBODYS, Lost
from rollout.store.marks import NodeMark
from rollout.store.sql import ERRORS, WINDOWS, Bounds
from rollout.store.window_counts import ArmWindows, Folded

KEPT_US: Final = 70 * MINUTE_US
"""Details are kept for the hour that a start lives, and ten minutes of lateness."""
LARGEST_TABLE: Final = 2_000_000
"""How many units (or unit-windows) are kept; at the limit the metric says that it is incomplete."""


@dataclass(frozen=True, slots=True)
class Told:
    """What comes with a segment: whose it is, which bytes it holds, and before when everything is filed."""

    kind: str
    node: str
    log: str
    start: int
    end: int
    watermark_us: int
    bad_lines: int


class _OfRun(Protocol):
    @property
    def run(self) -> Run: ...


Part = TypeVar("Part", bound=_OfRun)


class Counts:
    """Writes and reads what segments add up to."""

    def __init__(self, database: Database, *, rows: int = LARGEST_TABLE) -> None:
        self._database = database
        self._rows = rows
        self._tidied_minute = 0

    def cursor(self, node: str, log: str) -> int:
        """Return how many bytes of a log are counted."""
        with self._database.read() as connection:
            return marks.cursor(connection, node, log)

    def cursors(self) -> list[tuple[str, str, str, int]]:
        """Return (kind, node, log, cursor) of every log."""
        with self._database.read() as connection:
            return marks.cursors(connection)

    def add(
        self, told: Told, digest: Digest, now_us: int, *, before_commit: Callable[[], None] = lambda: None
    ) -> int:
        """Count one segment whose range starts at the cursor, all of it or nothing; returns the cursor after.

        A segment that starts elsewhere changes nothing.
        """
        with self._database.write() as connection:
            cursor = marks.cursor(connection, told.node, told.log)
            if told.start != cursor:
                return cursor
            bounds = Bounds(now_us, now_us - KEPT_US, self._rows)
            self._count(connection, digest, bounds)
            if told.end > told.start:
                marks.advance(
                    connection,
                    LogCursorRow(
                        node=told.node, log=told.log, kind=told.kind, position=told.end, updated_us=now_us
                    ),
                )
            marks.mark(connection, NodeMark(told.node, told.kind, told.watermark_us, now_us, told.bad_lines))
            self._tidy(connection, bounds)
            before_commit()
            return told.end

    def register(self, run: Run, metric: str, *, limit_us: int, share: float) -> Threshold:
        """Have a latency limit counted from the next segment on; it is frozen when it first comes."""
        with self._database.write() as connection:
            run_id = _run_id(connection, run)
            connection.execute(
                text(
                    "INSERT INTO threshold (run_id, metric, limit_us, share) "
                    "VALUES (:run, :metric, :limit, :share) "
                    "ON CONFLICT (run_id, metric) DO NOTHING"
                ),
                {"run": run_id, "metric": metric, "limit": limit_us, "share": share},
            )
            return next(one for one in _thresholds(connection) if (one.run, one.metric) == (run, metric))

    def thresholds(self) -> tuple[Threshold, ...]:
        """Return every latency limit that is counted."""
        with self._database.read() as connection:
            return _thresholds(connection)

    def watermark(self, now_us: int, *, kinds: tuple[str, ...], is_fast: bool) -> int | None:
        """Return the time before which everything is filed; the fast one does not wait for silent nodes."""
        seen_since = now_us - marks.SILENT_US if is_fast else None
        with self._database.read() as connection:
            return marks.watermark(connection, kinds=kinds, now_us=now_us, seen_since_us=seen_since)

    def nodes(self) -> list[NodeMark]:
        """Return every node that holds a watermark."""
        with self._database.read() as connection:
            return marks.nodes(connection)

    def forget_node(self, node: str) -> bool:
        """Let a node hold no watermark any longer; false when it held none."""
        with self._database.write() as connection:
            return marks.forget_node(connection, node)

    def first_errors(self, run: Run, *, since_us: int) -> FirstErrors:
        """Return the error events since a time within the last hour."""
        with self._database.read() as connection:
            return error_counts.first_errors(connection, _known_id(connection, run), since_us=since_us)

    def error_totals(self, run: Run) -> dict[tuple[str, int], int]:
        """Return how many units had their first error ever in each (arm, split)."""
        with self._database.read() as connection:
            return error_counts.error_totals(connection, _known_id(connection, run))

    def request_totals(self, run: Run) -> dict[str, tuple[int, int]]:
        """Return (requests, errors) of each arm, of the last thirty days."""
        with self._database.read() as connection:
            return tallies.request_totals(connection, _known_id(connection, run))

    def tallies(self, run: Run, *, since_minute: int = 0) -> tuple[Tally, ...]:
        """Return the minutes of a run, for display."""
        with self._database.read() as connection:
            return tallies.tallies(connection, _known_id(connection, run), run, since_minute=since_minute)

    def arm_windows(self, threshold: Threshold) -> tuple[dict[str, ArmWindows], dict[str, Folded]]:
        """Return every arm's windows of the last hour, and what was before, as one consistent view."""
        with self._database.read() as connection:
            live = window_counts.arm_windows(connection, threshold.identity)
            return live, window_counts.folded(connection, threshold.identity)

    def unit_sums(
        self, threshold: Threshold, arm: str, *, since_us: int | None, outage_minutes: Sequence[int] = ()
    ) -> RatioSums:
        """Return sums over an arm's units since a time within the last hour, or since the beginning."""
        with self._database.read() as connection:
            return window_counts.unit_sums(
                connection, threshold.identity, arm, since_us=since_us, outage_minutes=outage_minutes
            )

    def incomplete(self, run: Run) -> dict[str, int]:
        """Return what was left out of a run's counts, and how much; nothing is missing when it is empty."""
        with self._database.read() as connection:
            rows = connection.execute(
                text(
                    "SELECT what, left_out FROM incomplete "
                    "WHERE run_id = :run AND what IN (:errors, :windows)"
                ),
                {"run": _known_id(connection, run), "errors": ERRORS, "windows": WINDOWS},
            )
            return {what: left_out for what, left_out in rows}  # noqa: C416 (rows are no pairs to mypy)

    def note_losses(self, node: str, lost: Iterable[Lost], now_us: int) -> None:
        """Note for good what a node says it lost in all; the same sums may be told any number of times."""
        with self._database.write() as connection:
            for one in lost:
                run_id = ANYBODYS if one.run is None else _run_id(connection, one.run)
                losses.note(connection, run_id, node, one, now_us)

    def lost(self, run: Run, *, since_us: int) -> tuple[Loss, ...]:
        """Return which records a run is known to lack, or may lack; empty while it lacks none."""
        with self._database.read() as connection:
            return losses.lost_of(connection, _known_id(connection, run), since_us=since_us)

    def feeds(self) -> tuple[Feed, ...]:
        """Return every source that holds a watermark, and how far it has come."""
        return tuple(
            Feed(one.node, one.kind, one.watermark_us or None, one.seen_us, one.bad_lines)
            for one in self.nodes()
        )

    def filed(self) -> tuple[tuple[str, str, str, int, int], ...]:
        """Return (kind, node, log, cursor, when it last moved) of every log."""
        with self._database.read() as connection:
            return marks.filed(connection)

    def _count(self, connection: Connection, digest: Digest, bounds: Bounds) -> None:
        for run, minutes in _by_run(digest.tallies).items():
            tallies.count_requests(connection, _run_id(connection, run), minutes)
        for run, errors in _by_run(digest.errors).items():
            error_counts.count_errors(connection, _run_id(connection, run), errors, bounds)
        runs = {threshold.identity: threshold.run for threshold in _thresholds(connection)}
        by_run = defaultdict(list)
        for window in digest.windows:
            by_run[runs[window.threshold]].append(window)
        for run, windows in by_run.items():
            window_counts.count_windows(connection, _run_id(connection, run), windows, bounds)

    def _tidy(self, connection: Connection, bounds: Bounds) -> None:
        """Once a minute, turn what is too old for a start into totals."""
        minute = bounds.now_us // MINUTE_US
        if minute == self._tidied_minute:
            return
        error_counts.forget_errors(connection, horizon_us=bounds.horizon_us)
        tallies.forget_tallies(connection, now_minute=minute)
        for run, own in _by_run(_thresholds(connection)).items():
            window_counts.fold_windows(connection, _run_id(connection, run), own, bounds)
        self._tidied_minute = minute


def _by_run(parts: Iterable[Part]) -> dict[Run, list[Part]]:
    found: defaultdict[Run, list[Part]] = defaultdict(list)
    for part in parts:
        found[part.run].append(part)
    return found


def _run_id(connection: Connection, run: Run) -> int:
    known = _known_id(connection, run)
    if known:
        return known
    row = {"experiment": run.experiment, "revision": run.revision}
    statement = "INSERT INTO run (experiment, revision) VALUES (:experiment, :revision) RETURNING id"
    return int(connection.execute(text(statement), row).scalar_one())


def _known_id(connection: Connection, run: Run) -> int:
    """Return a run's number, which is never 0, or 0."""
    statement = "SELECT id FROM run WHERE experiment = :experiment AND revision = :revision"
    row = {"experiment": run.experiment, "revision": run.revision}
    return int(connection.execute(text(statement), row).scalar_one_or_none() or 0)


def _thresholds(connection: Connection) -> tuple[Threshold, ...]:
    statement = (
        "SELECT threshold.id, experiment, revision, metric, limit_us, share "
        "FROM threshold JOIN run ON run.id = run_id ORDER BY threshold.id"
    )
    return tuple(
        Threshold(identity, Run(experiment, revision), metric, limit_us, share)
        for identity, experiment, revision, metric, limit_us, share in connection.execute(text(statement))
    )
