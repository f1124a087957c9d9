"""What is read from the database when a run, or a limit, is first followed in memory."""

from __future__ import annotations

from rollout.domain.records import UnitWindow
from rollout.store import error_counts, tallies, window_counts
from rollout.store.changes import ArmTotal, ArmWindow
from rollout.store.database import Database
from rollout.store.live_errors import Known


class Reading:
    """Reads one consistent view for each question."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def errors(self, run_id: int, since_us: int, since_minute: int) -> Known:
        """Return a run's error events since a time, its first errors, and its requests since a minute."""
        with self._database.read() as connection:
            return Known(
                error_counts.error_events(connection, run_id, since_us=since_us),
                error_counts.error_totals(connection, run_id),
                tallies.requests_by_minute(connection, run_id, since_minute=since_minute),
            )

    def arms(self, threshold: int) -> tuple[list[ArmWindow], list[ArmTotal]]:
        """Return every arm's windows against a limit, and what was before them."""
        with self._database.read() as connection:
            return (
                window_counts.arm_windows(connection, threshold),
                window_counts.arm_totals(connection, threshold),
            )

    def units(self, threshold: int, arm: str) -> tuple[list[tuple[int, int, int]], list[UnitWindow]]:
        """Return an arm's units against a limit: what each did before its windows, and those."""
        with self._database.read() as connection:
            return window_counts.units(connection, threshold, arm)
