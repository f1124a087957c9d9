"""What is still to be told, and to whom; what was told, for a while."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel


class NotificationRow(SQLModel, table=True):
    """One thing to tell one receiver; its key is the same however often it is written."""

    __tablename__: ClassVar[str] = "notification"
    __table_args__ = (
        Index("ix_notification_waiting", "state", "receiver", "due_us"),
        Index("ix_notification_run", "uid", "topic"),
    )
    number: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    receiver: str
    uid: str
    name: str = Field(index=True)
    topic: str
    is_withdrawable: bool
    """Whether it is not told at all when what it tells of passes before it is due."""
    at_us: int = Field(sa_type=BigInteger)
    due_us: int = Field(sa_type=BigInteger)
    state: str
    tries: int
    ended_us: int | None = Field(sa_type=BigInteger)
    problem: str | None
    letter: str | None
    """The id of the letter that it is part of; while that is on its way, it stays so."""
    content: str


class ReceiverRow(SQLModel, table=True):
    """A receiver: who sends to it at present, until when, and from when on it may be sent to again."""

    __tablename__: ClassVar[str] = "receiver"
    name: str = Field(primary_key=True)
    holder: str | None
    held_until_us: int = Field(sa_type=BigInteger)
    next_us: int = Field(sa_type=BigInteger)
    paced_us: int = Field(sa_type=BigInteger)
    """When the letters sent so far would have been sent at the receiver's own pace."""
    failures: int
