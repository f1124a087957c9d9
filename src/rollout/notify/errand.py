"""What a courier is told and what it answers: nothing here, nor in the courier, imports the domain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How urgent a message is; receivers show it by colours, or page somebody."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads."""

    title: str
    body: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Errand:
    """Where to, and what; it comes through a pipe, which nobody else reads."""

    url: str
    is_webhook: bool
    keys: tuple[str, ...]
    ca_file: str | None
    letter_id: str
    chat: Message
    plain: Message
    document: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    is_taken: bool
    why: str | None = None
    retry_after_s: float | None = None
