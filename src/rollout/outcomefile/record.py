"""One row of a file, before anybody asked what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import msgspec

LONGEST_LINE: Final = 2**17
"""In bytes, of a line, and of a row of several; what an outcome needs is some hundred."""
SHOWN_CHARACTERS: Final = 60


class Record(msgspec.Struct, frozen=True, gc=False):
    """A row and where it stands; without cells there is a fault instead."""

    line: int
    """Its first line, or of Parquet its row; counts from 1."""
    cells: Mapping[str, object]
    fault: str | None = None
    raw: bytes | Sequence[str] | None = None
    """As it stands in the file, where that is not what the cells say."""


class Table(Protocol):
    """Rows of one file."""

    @property
    def columns(self) -> Sequence[str] | None:
        """The names of the columns; nothing where every row names its own."""

    def __iter__(self) -> Iterator[Record]:
        """Read the rows, once."""


def shown(value: object) -> str:
    """Write a value of a file into a sentence, never too long."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
