"""A file, or standard input, as a stream of bytes: unpacked as it comes, and never held whole."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from rollout.errors import NotReadable, Problem, choices

STANDARD_INPUT: Final = "-"
SHOWN_INPUT: Final = "stdin"
BUFFER_BYTES: Final = 2**18
LOOKED_AT_BYTES: Final = 4096
PACKED: Final = b"\x1f\x8b"
PARQUET: Final = b"PAR1"
WIDE: Final = (b"\xff\xfe", b"\xfe\xff")


class Form(StrEnum):
    """How outcomes are written down."""

    CSV = "csv"
    LINES = "jsonl"
    PARQUET = "parquet"


ENDINGS: Final = {
    ".csv": Form.CSV,
    ".jsonl": Form.LINES,
    ".ndjson": Form.LINES,
    ".parquet": Form.PARQUET,
}


@dataclass(frozen=True, slots=True)
class Source:
    """What was named, open."""

    name: str
    stream: BinaryIO
    counted: Counted
    size: int | None
    """In bytes, as it lies there; nothing for what has no end yet."""


class Counted(io.RawIOBase):
    """Reads from another stream and counts what came."""

    def __init__(self, inner: io.RawIOBase) -> None:
        self._inner = inner
        self.count = 0

    def readable(self) -> bool:
        """Say that it reads."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read into a buffer."""
        found = self._inner.readinto(buffer) or 0
        self.count += found
        return found


def form_of(name: str, asked: Form | None) -> Form:
    """Return how a file is written, by its name unless it was said; raise `NotReadable`."""
    if asked is not None:
        return asked
    if name == STANDARD_INPUT:
        raise _problem(SHOWN_INPUT, "its format is not known", f"add --format {choices(Form)}")
    endings = [ending.lower() for ending in Path(name).suffixes if ending.lower() != ".gz"]
    found = ENDINGS.get(endings[-1]) if endings else None
    if found is None:
        known = choices(ENDINGS)
        raise _problem(name, f"its name ends in none of {known}", f"add --format {choices(Form)}")
    return found


def shown_name(name: str) -> str:
    """Return how a file is spoken of."""
    return SHOWN_INPUT if name == STANDARD_INPUT else name


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Yield the text of a file, unpacked when it is gzip; raise `NotReadable` for what cannot be text."""
    with _raw(name) as (raw, size):
        counted = Counted(raw)
        stream: BinaryIO = io.BufferedReader(counted, BUFFER_BYTES)
        shown = shown_name(name)
        with broken_where(shown):
            if stream.peek(2)[:2] == PACKED:  # type: ignore[attr-defined]
                stream = io.BufferedReader(gzip.GzipFile(fileobj=stream), BUFFER_BYTES)
            _refuse_strange(shown, stream.peek(LOOKED_AT_BYTES)[:LOOKED_AT_BYTES])  # type: ignore[attr-defined]
        yield Source(shown, stream, counted, size)


@contextmanager
def broken_where(shown: str) -> Iterator[None]:
    """Word what goes wrong while a stream is read."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _problem(shown, "the gzip is damaged, or ends too early", "pack it again") from None
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise _problem(shown, what, "name a file that can be read") from None


@contextmanager
def _raw(name: str) -> Iterator[tuple[io.RawIOBase, int | None]]:
    if name == STANDARD_INPUT:
        if sys.stdin is None or not isinstance(sys.stdin.buffer, io.BufferedReader):
            raise _problem(SHOWN_INPUT, "it is closed", "name a file")
        yield sys.stdin.buffer.raw, None
        return
    path = Path(name)
    with broken_where(name):
        stream = path.open("rb", buffering=0)
    with stream:
        yield stream, path.stat().st_size if path.is_file() else None


def _refuse_strange(shown: str, head: bytes) -> None:
    if not head:
        raise _problem(shown, "it is empty", "was it written to its end?")
    if head.startswith(PARQUET):
        raise _problem(shown, "it is Parquet", "add --format parquet")
    if head.startswith(WIDE):
        raise _problem(shown, "it is UTF-16 text", "save it as UTF-8")
    if b"\0" in head:
        raise _problem(shown, "it is binary, no text", "name CSV, JSON lines or Parquet")


def _problem(where: str, what: str, remedy: str) -> NotReadable:
    return NotReadable(Problem(where, what, remedy))
