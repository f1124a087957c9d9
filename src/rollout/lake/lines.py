"""Envoy's lines, read strictly: what is not exactly a line is bad, and costs only itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeAlias

import msgspec
import numpy as np

from rollout.domain.records import NO_BLOCK, Run
from rollout.stats.arrays import IntArray

UNOWNED: Final = ("", "none", NO_BLOCK)
"""The experiment, arm and block of a request that no policy's route answered."""
UNREADABLE: Final = -1
"""What a field becomes whose text says nothing: its line is bad."""
LARGEST_DURATION_US: Final = 2**40
LARGEST_REVISION: Final = 2**31
_TIME: Final = re.compile(r"[0-9]{1,11}\.[0-9]{6}")
_USUAL: Final = len("1700000000.123456")
_DOT: Final = _USUAL - 7
# Decimal digits by place, without the dot.
_PLACES: Final = 10 ** np.arange(_USUAL - 2, -1, -1, dtype=np.int64)
_ZERO, _NINE = ord("0"), ord("9")
Code: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1000)]
Duration: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=LARGEST_DURATION_US)]
Route: TypeAlias = tuple[str, str, int]


class Line(msgspec.Struct, frozen=True, gc=False):
    """What is read of one request's line; other columns may stand beside these."""

    ts: str
    unit: str | None
    rev: str | None
    route: str | None
    att: Code | None
    code: Code | None
    flags: str | None
    dur_us: Duration | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose a request was, and when it began."""

    run: Run
    ts_us: int


_DECODER: Final = msgspec.json.Decoder(Line)


@dataclass(slots=True)
class Read:
    """What complete lines hold, and where each stood: without `sources`, at its place in `raw`."""

    raw: bytes
    lines: list[Line]
    sources: list[bytes] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)

    def keep_only(self, are_good: Sequence[bool]) -> None:
        """Set aside lines whose fields say nothing."""
        sources = self.sources or self.raw.split(b"\n")
        self.bad += [source for source, is_good in zip(sources, are_good, strict=False) if not is_good]
        self.lines = [line for line, is_good in zip(self.lines, are_good, strict=True) if is_good]


def read(lines: bytes) -> Read:
    """Return what complete lines hold; of a torn line the whole one behind it is kept."""
    try:
        found = _DECODER.decode_lines(lines)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _one_by_one(lines)
    # Blank lines are skipped there, and are bad here.
    return Read(lines, found) if len(found) == lines.count(b"\n") else _one_by_one(lines)


def request_of(line: bytes) -> Seen | None:
    """Return whose request a line tells of; nothing when it is no experiment's, or no line of Envoy's."""
    try:
        found = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    route, revision, (ts_us,) = route_of(found.route), revision_of(found.rev), times_us([found.ts]).tolist()
    if route is None or not route[0] or UNREADABLE in {revision, ts_us}:
        return None
    return Seen(Run(route[0], revision), ts_us)


def route_of(name: str | None) -> Route | None:
    """Return the experiment, arm and block of a route's name; nothing of a name that is no route of ours."""
    match (name or "").split("/"):
        case [experiment, arm, block] if (
            experiment and arm and block.isdecimal() and len(block) <= len("9999")
        ):
            return experiment, arm, int(block)
        case [experiment, leaf] if experiment and leaf:
            return experiment, leaf, NO_BLOCK
        case _:
            return UNOWNED if name in {None, "", "-"} else None


def revision_of(text: str | None) -> int:
    """Return a revision; 0 without one."""
    if not text:
        return 0
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_REVISION))
    return int(text) if is_number and int(text) < LARGEST_REVISION else UNREADABLE


def times_us(texts: Sequence[str]) -> IntArray:
    """Return the microseconds of texts like 1700000000.123456."""
    joined = "".join(texts)
    if joined.isascii() and set(map(len, texts)) == {_USUAL}:
        signs = np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, _USUAL)
        digits = np.delete(signs, _DOT, axis=1)
        if (signs[:, _DOT] == ord(".")).all() and ((digits >= _ZERO) & (digits <= _NINE)).all():
            return np.asarray((digits - _ZERO).astype(np.int64) @ _PLACES)
    return np.array([_time_us(text) for text in texts], dtype=np.int64)


def _time_us(text: str) -> int:
    return int(text.replace(".", "")) if _TIME.fullmatch(text) else UNREADABLE


def _one_by_one(lines: bytes) -> Read:
    found = Read(lines, [])
    for line in lines.removesuffix(b"\n").split(b"\n") if lines else ():
        if not _take(line, found):
            found.bad.append(line)
            # A proxy that was killed leaves half a line, and the next one begins right behind it.
            behind = line.rfind(b'{"')
            if behind > 0:
                _take(line[behind:], found)
    return found


def _take(line: bytes, found: Read) -> bool:
    try:
        found.lines.append(_DECODER.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    found.sources.append(line)
    return True
