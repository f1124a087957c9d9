"""What the audit keeps, and who may write at all."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class AuditRow(SQLModel, table=True):
    """One act; rows are added and never changed, and each holds the hash of the one before."""

    __tablename__: ClassVar[str] = "audit"
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at_us: int = Field(sa_type=BigInteger)
    who: str
    token: str | None
    origin: str | None
    verb: str
    subject: str
    why: str
    about: str | None = Field(unique=True)
    """The row that it vouches for: its table and its key."""
    content: str | None
    """The digest of that row."""
    previous: str
    hash: str


class AuditHeadRow(SQLModel, table=True):
    """How many acts there are, and the newest one's hash: what was cut off is missed."""

    __tablename__: ClassVar[str] = "audit_head"
    name: str = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger)
    hash: str


class LeadershipRow(SQLModel, table=True):
    """Who writes, until when by the database's clock, and how often that has changed."""

    __tablename__: ClassVar[str] = "leadership"
    name: str = Field(primary_key=True)
    term: int = Field(sa_type=BigInteger)
    holder: str
    address: str
    until_us: int = Field(sa_type=BigInteger)
