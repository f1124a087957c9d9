"""What the ledger keeps: runs and where they stand, their policies, every decision and what it rests on."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel


class ExperimentRow(SQLModel, table=True):
    """A run: where it stands, and how often that was recorded."""

    __tablename__: ClassVar[str] = "experiment"
    number: int | None = Field(default=None, primary_key=True)
    uid: str = Field(unique=True)
    name: str = Field(index=True)
    is_served: bool
    revision: int
    version: int = Field(sa_type=BigInteger)
    entries: int
    state: str


class RevisionRow(SQLModel, table=True):
    """A policy as one revision of a run froze it, as it was written and as it was understood."""

    __tablename__: ClassVar[str] = "revision"
    uid: str = Field(primary_key=True, foreign_key="experiment.uid")
    revision: int = Field(primary_key=True)
    began_us: int = Field(sa_type=BigInteger)
    digest: str
    policy: str
    text: str


class AmendmentRow(SQLModel, table=True):
    """A policy that was changed while its revision went on; the newest one counts, and all are kept."""

    __tablename__: ClassVar[str] = "amendment"
    __table_args__ = (ForeignKeyConstraint(["uid", "revision"], ["revision.uid", "revision.revision"]),)
    uid: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    at_us: int = Field(sa_type=BigInteger)
    digest: str
    policy: str
    text: str


class DecisionRow(SQLModel, table=True):
    """A recorded decision; rows are added and never changed."""

    __tablename__: ClassVar[str] = "decision"
    __table_args__ = (ForeignKeyConstraint(["uid", "revision"], ["revision.uid", "revision.revision"]),)
    uid: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    revision: int
    policy_digest: str
    at_us: int = Field(sa_type=BigInteger)
    action: str
    reason: str
    metric: str | None
    arm: int | None
    wish: str | None
    phase: str
    step: int
    watermark_us: int | None = Field(sa_type=BigInteger)
    judgement: str
    basis_digest: str | None = None
    """Of what it rests on, which may be given up later; none of what was recorded before that was kept."""


class BasisRow(SQLModel, table=True):
    """What a decision rests on, compressed; that of decisions which changed nothing goes after a while."""

    __tablename__: ClassVar[str] = "basis"
    __table_args__ = (
        ForeignKeyConstraint(["uid", "number"], ["decision.uid", "decision.number"]),
        Index("ix_basis_fading", "is_for_ever", "at_us"),
    )
    uid: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    is_for_ever: bool
    at_us: int = Field(sa_type=BigInteger)
    content: bytes
