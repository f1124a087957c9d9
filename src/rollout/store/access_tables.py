"""Tokens, of which only digests are kept, and the answers to requests that may be sent again."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel


class TokenRow(SQLModel, table=True):
    """A token, from its making on; a revoked one stays, so that its name is not given again."""

    __tablename__: ClassVar[str] = "token"
    name: str = Field(primary_key=True)
    digest: str = Field(unique=True)
    role: str
    groups: str = Field(sa_type=Text)
    created_us: int = Field(sa_type=BigInteger)
    created_by: str
    expires_us: int | None = Field(sa_type=BigInteger)
    revoked_us: int | None = Field(sa_type=BigInteger)
    used_us: int | None = Field(sa_type=BigInteger)


class KeptAnswerRow(SQLModel, table=True):
    """What one caller's request with a key came to; without a status it is under way."""

    __tablename__: ClassVar[str] = "kept_answer"
    __table_args__ = (Index("ix_kept_answer_at_us", "at_us"),)
    caller: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    asked: str
    at_us: int = Field(sa_type=BigInteger)
    status: int | None
    headers: str | None = Field(sa_type=Text)
    body: str | None = Field(sa_type=Text)
