"""Runs by their number, and the limits that are counted for them."""

from __future__ import annotations

from sqlalchemy import Connection, text

from rollout.domain.records import Run, Side, Threshold


def run_id(connection: Connection, run: Run) -> int:
    """Return a run's number; a new run gets one."""
    known = known_id(connection, run)
    if known:
        return known
    row = {"experiment": run.experiment, "revision": run.revision}
    statement = "INSERT INTO run (experiment, revision) VALUES (:experiment, :revision) RETURNING id"
    return int(connection.execute(text(statement), row).scalar_one())


def known_id(connection: Connection, run: Run) -> int:
    """Return a run's number, which is never 0, or 0."""
    statement = "SELECT id FROM run WHERE experiment = :experiment AND revision = :revision"
    row = {"experiment": run.experiment, "revision": run.revision}
    return int(connection.execute(text(statement), row).scalar_one_or_none() or 0)


def register(connection: Connection, limit: Threshold) -> Threshold:
    """Have a limit counted, unless its run has one for this metric and side already, and return that."""
    connection.execute(
        text(
            "INSERT INTO threshold (run_id, metric, limit_us, share, side) "
            "VALUES (:run, :metric, :limit, :share, :side) "
            "ON CONFLICT (run_id, metric, side) DO NOTHING"
        ),
        {
            "run": run_id(connection, limit.run),
            "metric": limit.metric,
            "limit": limit.limit_us,
            "share": limit.share,
            "side": limit.side.value,
        },
    )
    return thresholds(connection)[limit.run, limit.metric, limit.side]


def thresholds(connection: Connection) -> dict[tuple[Run, str, Side], Threshold]:
    """Return every limit that is counted, by run, metric and side."""
    statement = (
        "SELECT threshold.id, experiment, revision, metric, limit_us, share, side "
        "FROM threshold JOIN run ON run.id = run_id ORDER BY threshold.id"
    )
    found = (
        Threshold(identity, Run(experiment, revision), metric, limit_us, share, Side(side))
        for identity, experiment, revision, metric, limit_us, share, side in connection.execute(
            text(statement)
        )
    )
    return {(one.run, one.metric, one.side): one for one in found}


def threshold_runs(connection: Connection) -> dict[int, int]:
    """Return whose run each limit is."""
    rows = connection.execute(text("SELECT id, run_id FROM threshold"))
    return {identity: owner for identity, owner in rows}  # noqa: C416 (rows are no pairs to mypy)
