"""Limits of one side, beside the other's; unit-windows in order of time; totals that are counted."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
_UNIT_WINDOW: Final = "threshold_id, time_window, arm, unit, requests, exceedances"


def upgrade() -> None:
    """Make the tables anew where their keys change, with what they held."""
    _thresholds()
    _unit_windows()
    op.add_column("arm_total", sa.Column("slow_minutes", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("arm_total") as table:
        table.alter_column("slow_minutes", server_default=None)
    op.execute("INSERT INTO room (name, rows) SELECT 'unit_total', count(*) FROM unit_total")


def _thresholds() -> None:
    op.rename_table("threshold", "old_threshold")
    op.create_table(
        "threshold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("limit_us", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "metric", "side"),
    )
    op.execute(
        "INSERT INTO threshold (id, run_id, metric, limit_us, share, side) "
        "SELECT id, run_id, metric, limit_us, share, 'all' FROM old_threshold"
    )
    op.drop_table("old_threshold")
    if op.get_bind().dialect.name == "postgresql":
        # The rows came with their numbers: the next one is the largest and one.
        newest = "(SELECT coalesce(max(id), 0) + 1 FROM threshold)"
        op.execute(f"SELECT setval(pg_get_serial_sequence('threshold', 'id'), {newest}, false)")


def _unit_windows() -> None:
    op.rename_table("unit_window", "old_unit_window")
    op.create_table(
        "unit_window",
        sa.Column("threshold_id", sa.Integer(), nullable=False),
        sa.Column("time_window", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("exceedances", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("threshold_id", "time_window", "arm", "unit"),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO unit_window ({_UNIT_WINDOW}) SELECT {_UNIT_WINDOW} FROM old_unit_window")  # noqa: S608
    op.drop_table("old_unit_window")
