"""Rows that were not taken, with their reasons, in their own format: mended there, they are read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Final

import msgspec

from rollout.errors import OutputFailed, Problem
from rollout.outcomefile.moments import EPOCH, Instant
from rollout.outcomefile.record import Record

LINE: Final = "rejected_line"
WHY: Final = "rejected_because"
OURS: Final = frozenset([LINE, WHY])
TEXT: Final = "rejected_text"
"""What stood in a line that is no object."""


class Rejects:
    """Writes the rows that were not taken; the reason stands first, so that ragged rows keep their cells."""

    def __init__(self, name: str, stream: IO[str], delimiter: str) -> None:
        self._name, self._stream, self._delimiter = name, stream, delimiter
        self._columns: Sequence[str] | None = None

    def begin(self, columns: Sequence[str] | None) -> None:
        """Begin with the header of the file that is read; nothing where it has none."""
        self._columns = columns
        if columns is not None:
            self._write(
                _as_csv([LINE, WHY, *(name for name in columns if name not in OURS)], self._delimiter)
            )

    def put(self, record: Record, why: str) -> None:
        """Add a row."""
        if self._columns is None:
            self._write(_as_json(record, why))
            return
        row = list(record.cells.values()) if record.raw is None else list(record.raw)
        names = chain(self._columns, repeat(""))
        kept = [_text(cell) for cell, name in zip(row, names, strict=False) if name not in OURS]
        self._write(_as_csv([str(record.line), why, *kept], self._delimiter))

    def _write(self, text: str) -> None:
        with _worded(self._name):
            self._stream.write(text)


@contextmanager
def rejects_in(name: str, delimiter: str) -> Iterator[Rejects]:
    """Yield what writes beside the file, which is there whole at the end, or as it was before.

    What is there and no plain file, such as a pipe or a link, is written to and never replaced.
    """
    file = Path(name)
    is_plain = not file.is_symlink() and (file.is_file() or not file.exists())
    beside = file.parent / f".{file.name}.new" if is_plain else file
    with _worded(name):
        stream = beside.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    try:
        with stream:
            yield Rejects(name, stream, delimiter)
            with _worded(name):
                stream.flush()
        if is_plain:
            with _worded(name):
                beside.replace(file)
    finally:
        if is_plain:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


@contextmanager
def _worded(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise OutputFailed(Problem(name, what, "name a file that can be written: --rejects")) from None


def _as_csv(row: Sequence[str], delimiter: str) -> str:
    # The library leaves a lone carriage return without quotes.
    special = {delimiter, '"', "\r", "\n"}
    quoted = ['"' + cell.replace('"', '""') + '"' if special & set(cell) else cell for cell in row]
    return delimiter.join(quoted) + "\n"


def _as_json(record: Record, why: str) -> str:
    cells = {name: cell for name, cell in record.cells.items() if name not in OURS}
    if record.fault is not None and isinstance(record.raw, bytes):
        cells = {TEXT: record.raw.rstrip(b"\r\n").decode(errors="backslashreplace")}
    about: dict[str, object] = {LINE: record.line, WHY: why}
    return msgspec.json.encode(about | cells).decode() + "\n"


def _text(cell: object) -> str:
    """Write a cell as a CSV file has it, so that it is read as the same again."""
    match cell:
        case None:
            return ""
        case Instant():
            moment = EPOCH + timedelta(microseconds=cell.us)
            return (moment.replace(tzinfo=None) if cell.is_naive else moment).isoformat()
        case bytes():
            return cell.decode(errors="surrogateescape")
        case bool():
            return str(int(cell))
        case _:
            return str(cell)
