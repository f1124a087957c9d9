"""Lines of a stream with their numbers; one that is too long is skipped and never held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from rollout.errors import NotReadable, Problem
from rollout.outcomefile.record import LONGEST_LINE, Record, shown
from rollout.outcomefile.source import Source, broken_where

TOO_LONG = f"longer than {LONGEST_LINE // 1024} KiB"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DECODER = msgspec.json.Decoder()


def lines(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield each line, and whether all of it: of a longer one only its beginning."""
    while line := stream.readline(LONGEST_LINE + 1):
        is_whole = len(line) <= LONGEST_LINE
        yield line, is_whole
        while not is_whole and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)
            if not line:
                break


class JsonLines:
    """One JSON object on each line; blank lines are none."""

    columns = None

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Record]:
        """Read the rows, once."""
        with broken_where(self._source.name):
            for number, (line, is_whole) in enumerate(lines(self._source.stream), start=1):
                content = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
                if not is_whole:
                    yield Record(number, {}, TOO_LONG, content[:LONGEST_LINE])
                elif content and not content.isspace():
                    self._refuse_list(number, content)
                    yield _record(number, content)

    def _refuse_list(self, number: int, content: bytes) -> None:
        if number == 1 and content.lstrip()[:1] == b"[":
            remedy = "write one object on each line, as `jq -c '.[]'` does"
            raise NotReadable(Problem(self._source.name, "it is a JSON list, not JSON lines", remedy))


def _record(number: int, content: bytes) -> Record:
    try:
        found = _DECODER.decode(content)
    except (msgspec.MsgspecError, ValueError) as error:
        return Record(number, {}, str(error), content)
    if not isinstance(found, dict):
        return Record(number, {}, f"must be a JSON object (got {shown(found)})", content)
    return Record(number, found, None, content)
