"""The intake: cursors, watermarks, tallies, first errors, unit-windows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that hold what segments add up to."""
    _cursors()
    _errors()
    _windows()


def _cursors() -> None:
    """Say how far every log has been counted, and what each minute held."""
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("experiment", "revision"),
    )
    op.create_table(
        "log_cursor",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "log"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "node_mark",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("watermark_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("bad_lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "kind"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "room",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "incomplete",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("left_out", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "what"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tally",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("left_early", sa.BigInteger(), nullable=False),
        sa.Column("fallbacks", sa.BigInteger(), nullable=False),
        sa.Column("durations", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "block", "arm", "minute"),
        sqlite_with_rowid=False,
    )


def _errors() -> None:
    """Keep first errors of units."""
    op.create_table(
        "error_unit",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("split", sa.Integer(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "unit"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "error_event",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("ts_us", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("split", sa.Integer(), nullable=False),
        sa.Column("previous_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "unit", "ts_us"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_error_event_ts_us", "error_event", ["ts_us"], unique=False)
    op.create_table(
        "error_total",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("split", sa.Integer(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "arm", "split"),
        sqlite_with_rowid=False,
    )


def _windows() -> None:
    """Keep units' ten seconds against latency limits."""
    op.create_table(
        "threshold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("limit_us", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "metric"),
    )
    op.create_table(
        "unit_window",
        sa.Column("threshold_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("time_window", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("exceedances", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("threshold_id", "arm", "unit", "time_window"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "arm_window",
        sa.Column("threshold_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("time_window", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("fraction_nano", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("exceedances", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("threshold_id", "arm", "time_window"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unit_total",
        sa.Column("threshold_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("exceedances", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("threshold_id", "arm", "unit"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "arm_total",
        sa.Column("threshold_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("fraction_nano", sa.BigInteger(), nullable=False),
        sa.Column("outage_units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("threshold_id", "arm"),
        sqlite_with_rowid=False,
    )
