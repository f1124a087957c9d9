"""What every decision rests on, beside it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table, and to every decision the digest of its part; what is there already has none."""
    op.add_column("decision", sa.Column("basis_digest", sa.String(), nullable=True))
    op.create_table(
        "basis",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("is_for_ever", sa.Boolean(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["uid", "number"], ["decision.uid", "decision.number"]),
        sa.PrimaryKeyConstraint("uid", "number"),
    )
    op.create_index("ix_basis_fading", "basis", ["is_for_ever", "at_us"])
