"""The audit, with a line for everything that was recorded before there was one; and who leads."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
_RECORDED: Final = {
    "revision": ("uid", "revision"),
    "amendment": ("uid", "revision", "number"),
    "decision": ("uid", "number"),
}
_COLUMNS: Final = (
    *("number", "at_us", "who", "token", "origin", "verb", "subject", "why"),
    *("about", "content", "previous"),
)
_WHY: Final = "it was recorded before there was an audit, and stood like this when that began"
_AT_ONCE: Final = 1_000
_KEPT: Final = "the audit is only added to"


def upgrade() -> None:
    """Make the tables, write down what stands there, and let nobody change a line."""
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=True),
        sa.Column("content", sa.String(), nullable=True),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("about"),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    leadership = op.create_table(
        "leadership",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    number, newest = _adopt()
    op.bulk_insert(head, [{"name": "audit", "number": number, "hash": newest}])
    op.bulk_insert(leadership, [{"name": "control", "term": 0, "holder": "", "address": "", "until_us": 0}])
    _guard()


def _adopt() -> tuple[int, str]:
    """Write a line for each row that was recorded; return the newest one's number and hash."""
    audit = sa.table("audit", *(sa.column(name) for name in (*_COLUMNS, "hash")))
    number, newest, some, now_us = 0, "", [], time.time_ns() // 1000
    for name, policy, content in _recorded():
        number += 1
        said = [number, now_us, "rollout", None, None, "adopt", policy, _WHY, name, content, newest]
        newest = _digest(said)
        some.append(dict(zip((*_COLUMNS, "hash"), (*said, newest), strict=True)))
        if len(some) == _AT_ONCE:
            op.bulk_insert(audit, some)
            some = []
    op.bulk_insert(audit, some)
    return number, newest


def _recorded() -> Iterator[tuple[str, str, str]]:
    """Yield (its name, whose it is, its digest) of each row, the tables as they are at this revision."""
    bind = op.get_bind()
    policies = {row.uid: row.name for row in bind.execute(sa.text("SELECT uid, name FROM experiment"))}
    for table, keys in _RECORDED.items():
        rows = bind.execute(sa.text(f"SELECT * FROM {table} ORDER BY {', '.join(keys)}"))  # noqa: S608
        for row in rows.mappings():
            name = " ".join([table, *(str(row[key]) for key in keys)])
            present = {column: value for column, value in sorted(row.items()) if value is not None}
            yield name, policies[row["uid"]], _digest([table, present])


def _digest(said: object) -> str:
    content = json.dumps(said, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _guard() -> None:
    """Refuse changes where they are easy to make; who may drop a trigger is found by the chain."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_KEPT}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_is_kept_{change.lower()} BEFORE {change} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
        )
