"""Which files hold what was not taken in yet: each byte of each log once, whatever is merged meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rollout.errors import Problem, Retry
from rollout.lake import segments
from rollout.lake.segments import Kind, Segment

Cursors: TypeAlias = Callable[[], Iterable[tuple[str, str, str, int]]]
"""Says (kind, node, log, bytes counted) of every log: what lies beyond may still be taken back."""
Ends: TypeAlias = dict[tuple[str, str, str], int]


class Overtaken(Exception):
    """Files were merged across what was taken in, and their parts are gone: everything must be read again."""


class Filed:
    """How far every log of a lake was taken in."""

    def __init__(self, folder: Path, cursors: Cursors | None) -> None:
        self._folder, self._cursors = folder, cursors
        self._counted: Ends | None = None
        self.ends: Ends = {}
        self.needed_from_us = 0
        """Nothing that was handed in before it matters to any run: a hole in it is passed over."""

    def has_news(self) -> bool:
        """Return whether anything may have been filed since this was asked last."""
        if self._cursors is None:
            return True
        counted = {(kind, node, log): position for kind, node, log, position in self._cursors()}
        is_news, self._counted = counted != self._counted, counted
        return is_news

    def fresh(self, kind: Kind) -> tuple[list[Path], Ends]:
        """Return the files after what was taken in, and how far they reach; or raise `Overtaken`, `Retry`."""
        return self._chains(kind, self.ends, self._counted)

    def taken(self, kind: Kind) -> list[Path]:
        """Return files that hold exactly what was taken in; raises `Overtaken`, or `Retry`."""
        return self._chains(kind, {}, self.ends)[0]

    def _chains(self, kind: Kind, after: Ends, until: Ends | None) -> tuple[list[Path], Ends]:
        within = self._folder / kind
        by_log: defaultdict[tuple[str, str], list[Segment]] = defaultdict(list)
        for segment, _ in segments.listed(within) if within.is_dir() else ():
            by_log[segment.node, segment.log].append(segment)
        gone = segments.expired(within) if within.is_dir() else {}
        for of_kind, node, log in until or ():
            if of_kind == kind:
                by_log.setdefault((node, log), [])
        paths: list[Path] = []
        ends: Ends = {}
        for (node, log), own in sorted(by_log.items()):
            expired = gone[node, log].end if (node, log) in gone else 0
            at = max(after.get((kind, node, log), 0), expired)
            limit = max(one.end for one in own) if until is None else until.get((kind, node, log), 0)
            chain = _chain(own, at, limit, is_first=at == expired, is_old=partial(self._is_old, within))
            reached = chain[-1].end if chain else at
            if reached < limit:
                behind = min((one.start for one in own if one.start > reached), default=limit)
                raise _lacking(node, log, reached, behind)
            paths += [within / segment.name for segment in chain]
            ends[kind, node, log] = reached
        return paths, ends

    def _is_old(self, within: Path, behind: Segment) -> bool:
        """Return whether what lies before a file was handed in before anything that matters."""
        return (within / behind.name).stat().st_mtime_ns // 1_000 < self.needed_from_us

    def advance(self, ends: Mapping[tuple[str, str, str], int]) -> None:
        """Note how far logs were taken in."""
        self.ends |= ends

    def forget(self) -> None:
        """Begin anew: nothing was taken in."""
        self._counted, self.ends = None, {}


def _chain(
    files: list[Segment], at: int, limit: int, *, is_first: bool, is_old: Callable[[Segment], bool]
) -> list[Segment]:
    """Return files that follow each other from a byte on; the longest of those that begin there."""
    own = sorted((one for one in files if at < one.end <= limit), key=lambda one: (one.start, -one.end))
    found: list[Segment] = []
    for segment in own:
        begins_here = segment.start == at or (is_first and not found and segment.start < at)
        if begins_here or (segment.start > at and not _is_inside(own, at) and is_old(segment)):
            found.append(segment)
            at = segment.end
    if at < limit and _is_inside(own, at):
        raise Overtaken
    return found


def _is_inside(files: list[Segment], at: int) -> bool:
    """Return whether a byte lies inside a merged file, whose parts are gone."""
    return any(one.start < at < one.end for one in files)


def _lacking(node: str, log: str, start: int, end: int) -> Retry:
    what = f"lacks bytes {start} to {end} of the log {log} of {node}"
    return Retry(Problem("the lake", what, "nothing is proven without them; see `rollout lake check`"))
