"""The counts of everything filed: one transaction for each segment, and what the fast loop reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection

from rollout.domain.quality import Feed, Loss
from rollout.domain.records import MINUTE_US, Digest, Run, Side, Tally, Threshold
from rollout.stats.starts import Starts
from rollout.store import error_counts, losses, marks, retiring, runs, tallies, window_counts
from rollout.store.changes import Changes
from rollout.store.database import Database
from rollout.store.intake_tables import LogCursorRow
from rollout.store.live import Live
from rollout.store.live_errors import ErrorCounts
from rollout.store.live_limits import SinceStarts
from rollout.store.losses import ANYBODYS, Lost
from rollout.store.marks import NodeMark
from rollout.store.reading import Reading
from rollout.store.remembered import Remembered
from rollout.store.sql import ERRORS, WINDOWS, Bounds

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
        self._live = Live(Reading(database))
        self._known: dict[Run, int] = {}
        self._thresholds = Remembered(database, runs.thresholds)
        self._owners = Remembered(database, runs.threshold_runs)
        self._marks = Remembered(database, marks.nodes)
        self._left_out = Remembered(database, losses.left_out)

    @property
    def rows(self) -> int:
        """How many rows each table may hold."""
        return self._rows

    @property
    def nbytes(self) -> int:
        """The memory that the last hour's arrays take."""
        return self._live.nbytes

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
        with self._live.following() as changes, self._database.write() as connection:
            cursor = marks.cursor(connection, told.node, told.log)
            if told.start != cursor:
                return cursor
            bounds = Bounds(now_us, now_us - KEPT_US, self._rows)
            self._count(connection, digest, bounds, changes)
            if told.end > told.start:
                marks.advance(
                    connection,
                    LogCursorRow(
                        node=told.node, log=told.log, kind=told.kind, position=told.end, updated_us=now_us
                    ),
                )
            marks.mark(connection, NodeMark(told.node, told.kind, told.watermark_us, now_us, told.bad_lines))
            self._tidy(connection, bounds, changes)
            before_commit()
        self._marks.forget()
        if changes.has_left_out:
            self._left_out.forget()
        self._tidied_minute = now_us // MINUTE_US
        self._live.forget(now_us)
        return told.end

    def register(
        self, run: Run, metric: str, *, limit_us: int, share: float, side: Side = Side.ALL
    ) -> Threshold:
        """Have a latency limit counted from the next segment on; it is frozen when it first comes."""
        known = self.threshold(run, metric, side)
        if known is not None:
            return known
        with self._database.write() as connection:
            found = runs.register(connection, Threshold(0, run, metric, limit_us, share, side))
        self._thresholds.forget()
        self._owners.forget()
        return found

    def register_sides(self, run: Run, metric: str, limits_us: Mapping[Side, int], *, share: float) -> None:
        """Have each side's requests counted against a limit of its own, all frozen when the first comes."""
        with self._database.write() as connection:
            for side, limit_us in limits_us.items():
                runs.register(connection, Threshold(0, run, metric, limit_us, share, side))
        self._thresholds.forget()
        self._owners.forget()

    def threshold(self, run: Run, metric: str, side: Side = Side.ALL) -> Threshold | None:
        """Return a limit that is counted."""
        return self._thresholds.get().get((run, metric, side))

    def thresholds(self) -> tuple[Threshold, ...]:
        """Return every latency limit that is counted."""
        return tuple(self._thresholds.get().values())

    def watermark(self, now_us: int, *, kinds: tuple[str, ...], is_fast: bool) -> int | None:
        """Return the time before which everything is filed; the fast one does not wait for silent nodes."""
        seen_since = now_us - marks.SILENT_US if is_fast else None
        return marks.watermark(self._marks.get(), kinds=kinds, now_us=now_us, seen_since_us=seen_since)

    def nodes(self) -> list[NodeMark]:
        """Return every node that holds a watermark."""
        return self._marks.get()

    def forget_node(self, node: str) -> bool:
        """Let a node hold no watermark any longer; false when it held none."""
        with self._database.write() as connection:
            was_known = marks.forget_node(connection, node)
        self._marks.forget()
        return was_known

    def errors(self, run: Run, alive: Starts, now_us: int) -> ErrorCounts:
        """Return a run's units with a first error since each start, and its requests of the last minutes."""
        return self._live.errors(self._known_id(run), alive, now_us)

    def since_starts(
        self, threshold: Threshold, arms: Sequence[str], alive: Starts, now_us: int
    ) -> tuple[Mapping[str, SinceStarts], frozenset[int]]:
        """Return what arms' units did since each start, and which minutes were shared outages."""
        return self._live.since_starts(threshold, arms, alive, now_us)

    def places(self, threshold: Threshold, now_us: int) -> tuple[str, ...]:
        """Return which arms (of one side: arm/block) have been counted against a limit."""
        return self._live.places(threshold, now_us)

    def error_totals(self, run: Run) -> dict[tuple[str, int], int]:
        """Return how many units had their first error ever in each (arm, split)."""
        with self._database.read() as connection:
            return error_counts.error_totals(connection, self._known_id(run))

    def request_totals(self, run: Run) -> dict[str, tuple[int, int]]:
        """Return (requests, errors) of each arm, of the last thirty days."""
        with self._database.read() as connection:
            return tallies.request_totals(connection, self._known_id(run))

    def durations(self, run: Run, arms: Sequence[str]) -> dict[int, int]:
        """Return the answers of some arms by bucket of their duration, of the last thirty days."""
        with self._database.read() as connection:
            return tallies.durations(connection, self._known_id(run), arms)

    def tallies(self, run: Run, *, since_minute: int = 0) -> tuple[Tally, ...]:
        """Return the minutes of a run, for display."""
        with self._database.read() as connection:
            return tallies.tallies(connection, self._known_id(run), run, since_minute=since_minute)

    def incomplete(self, run: Run) -> dict[str, int]:
        """Return what was left out of a run's counts, and how much; nothing is missing when it is empty."""
        held = self._left_out.get().get(self._known_id(run), {})
        return {what: one.rows for what, one in held.items() if what in {ERRORS, WINDOWS}}

    def retire(self, needed: Collection[Run], now_us: int) -> None:
        """Drop the details of runs that are not needed, once nothing of them has come for an hour."""
        since_minute = (now_us - KEPT_US) // MINUTE_US
        with self._database.read() as connection:
            gone = retiring.ended(connection, needed, since_minute=since_minute)
        for run_id in gone:
            is_done = False
            while not is_done:
                with self._database.write() as connection:
                    is_done = retiring.retire(connection, run_id)
                self._thresholds.forget()
                self._owners.forget()

    def note_losses(self, node: str, lost: Iterable[Lost], now_us: int) -> None:
        """Note for good what a node says it lost in all; the same sums may be told any number of times."""
        with self._database.write() as connection:
            for one in lost:
                run_id = ANYBODYS if one.run is None else runs.run_id(connection, one.run)
                losses.note(connection, run_id, node, one, now_us)
        self._left_out.forget()

    def lost(self, run: Run, *, since_us: int) -> tuple[Loss, ...]:
        """Return which records a run is known to lack, or may lack; empty while it lacks none."""
        return losses.lost_of(self._left_out.get(), self._known_id(run), since_us=since_us)

    def lost_rows(self) -> Mapping[tuple[str, str], int]:
        """Return how many rows each node lost of all runs, as far as that is known, by kind and node."""
        return losses.rows_of(self._left_out.get())

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

    def _known_id(self, run: Run) -> int:
        """Return a run's number, which is never 0 and never changes, or 0."""
        known = self._known.get(run, 0)
        if not known:
            with self._database.read() as connection:
                known = runs.known_id(connection, run)
            if known:
                self._known[run] = known
        return known

    def _run_id(self, connection: Connection, run: Run) -> int:
        """Return a run's number inside a transaction that may have to give it one."""
        return self._known.get(run) or runs.run_id(connection, run)

    def _count(self, connection: Connection, digest: Digest, bounds: Bounds, changes: Changes) -> None:
        if digest.tallies:
            numbers = {run: self._run_id(connection, run) for run in {one.run for one in digest.tallies}}
            owned = ((numbers[one.run], one) for one in digest.tallies)
            tallies.count_requests(connection, owned, changes)
        for run, errors in _by_run(digest.errors).items():
            error_counts.count_errors(connection, self._run_id(connection, run), errors, bounds, changes)
        if digest.windows:
            window_counts.count_windows(connection, self._owners.get(), digest.windows, bounds, changes)

    def _tidy(self, connection: Connection, bounds: Bounds, changes: Changes) -> None:
        """Once a minute, turn what is too old for a start into totals."""
        minute = bounds.now_us // MINUTE_US
        if minute != self._tidied_minute:
            error_counts.forget_errors(connection, horizon_us=bounds.horizon_us)
            tallies.forget_tallies(connection, now_minute=minute)
            window_counts.fold_windows(connection, self._owners.get(), bounds, changes)


def _by_run(parts: Iterable[Part]) -> dict[Run, list[Part]]:
    found: defaultdict[Run, list[Part]] = defaultdict(list)
    for part in parts:
        found[part.run].append(part)
    return found
