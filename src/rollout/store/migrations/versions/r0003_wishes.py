"""The candidate that a decision speaks of, and the person's wish that it answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Give every decision room for both; those from before have neither."""
    op.add_column("decision", sa.Column("arm", sa.Integer(), nullable=True))
    op.add_column("decision", sa.Column("wish", sa.String(), nullable=True))
