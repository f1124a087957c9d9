"""Many small segments become few large ones, beside readers and the intake: a question opens every file."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from rollout.lake import segments
from rollout.lake.digest import EXPOSURES, OUTCOMES
from rollout.lake.engine import connect, quoted
from rollout.lake.expiry import Expiry, Retention
from rollout.lake.segments import Kind, Segment

FEWEST: Final = 16
"""Fewer files than this are left as they are, unless their log has ended."""
GRACE_S: Final = 60.0
"""How long a superseded file is kept for readers that have listed it."""
EVERY_S: Final = 5.0
MEMORY_LIMIT: Final = "256MB"
LOCK: Final = "compacting.lock"
Cursors: TypeAlias = Callable[[], Iterable[tuple[str, str, str, int]]]
"""Says (kind, node, log, bytes counted) of every log."""
_log = structlog.get_logger(part="compactor")
_COLUMNS: Final = {Kind.EXPOSURES: EXPOSURES, Kind.OUTCOMES: OUTCOMES}


def run_to_merge(chain: Sequence[Segment], *, has_ended: bool) -> Sequence[Segment]:
    """Return which neighbours of one log should become one file, the oldest first; often none.

    A file is taken in once the newer ones together are as long as it is, so each byte is written again about
    log₂ (files) times. Of a log that has ended one file is left.
    """
    if has_ended:
        return chain if len(chain) > 1 else ()
    length, taken = 0, 0
    for segment in reversed(chain):
        if taken >= FEWEST and segment.end - segment.start > length:
            break
        length += segment.end - segment.start
        taken += 1
    return chain[-taken:] if taken >= FEWEST else ()


class Busy(Exception):
    """Another process merges segments of this lake at the moment."""


class Compactor:
    """Merges what the intake has counted, and deletes what is superseded or too old.

    It may be cut off anywhere; of several over one lake, in any processes, one is at work at a time. Who does
    not lead begins nothing, and deletes nothing.
    """

    def __init__(
        self,
        folder: Path,
        cursors: Cursors,
        *,
        now_s: Callable[[], float],
        retention: Retention | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._leads = leads
        self._folder, self._cursors, self._now_s = folder, cursors, now_s
        self._engine = connect(memory_limit=MEMORY_LIMIT)
        self._expiry = None if retention is None else Expiry(self._engine, folder, retention, now_s=now_s)

    def run(self, stop: threading.Event, *, interval_s: float = EVERY_S) -> None:
        """Step until told to stop; what fails is tried again."""
        while not stop.wait(interval_s):
            if not self._leads():
                continue
            try:
                self.step()
            except Busy:
                continue
            except Exception as error:  # noqa: BLE001 (it outlives a full disk, and a database that cannot be read)
                _log.warning(
                    "segments could not be merged; readers are slower, nothing is lost", why=str(error)
                )

    def step(self, on_merged: Callable[[int, int], object] = lambda _done, _due: None) -> int:
        """Merge what is due, and return how many files were made; raises `Busy` when another one is at it.

        `on_merged` hears how many of how many are done.
        """
        with _alone(self._folder):
            # Before the listing: what ends beyond a cursor may still be taken back.
            counted = {(kind, node, log): cursor for kind, node, log, cursor in self._cursors()}
            folders = [(kind, self._folder / kind) for kind in Kind if (self._folder / kind).is_dir()]
            due = [(kind, run) for kind, within in folders for run in self._due(kind, within, counted)]
            on_merged(0, len(due))
            for done, (kind, run) in enumerate(due, start=1):
                self._merge(kind, run)
                on_merged(done, len(due))
            for kind, within in folders:
                if not self._leads():
                    break
                self._delete_superseded(within)
                if self._expiry is not None:
                    self._expiry.step(kind, counted)
            return len(due)

    def _due(
        self, kind: Kind, within: Path, counted: Mapping[tuple[str, str, str], int]
    ) -> list[Sequence[Segment]]:
        files = [segment for path in segments.covering(within) if (segment := Segment.of_name(path.name))]
        written_s = {segment: (within / segment.name).stat().st_mtime for segment in files}
        runs = []
        for node, of_node in groupby(sorted(files), key=lambda one: one.node):
            logs = {log: list(found) for log, found in groupby(of_node, key=lambda one: one.log)}
            last_s = {log: max(written_s[one] for one in found) for log, found in logs.items()}
            current = max(last_s, key=lambda log: last_s[log])
            for log, found in logs.items():
                has_ended = log != current and self._now_s() - last_s[log] > GRACE_S
                chain = _unbroken([one for one in found if one.end <= counted.get((kind, node, log), 0)])
                runs.append(run_to_merge(chain, has_ended=has_ended))
        return [run for run in runs if run]

    def _merge(self, kind: Kind, run: Sequence[Segment]) -> None:
        """Write a run of neighbours as one file, which supersedes them."""
        within, whole = self._folder / kind, replace(run[0], end=run[-1].end)
        unfinished = within / f"{whole.name}{segments.UNFINISHED}"
        names = ", ".join(f'"{name}"' for name in _COLUMNS[kind])
        sources = ", ".join(quoted(within / segment.name) for segment in run)
        self._engine.execute(
            f"COPY (SELECT {names} FROM read_parquet([{sources}])) "  # noqa: S608 (our own columns and paths)
            f"TO {quoted(unfinished)} (FORMAT parquet, COMPRESSION zstd)"
        )
        segments.publish(unfinished, within / whole.name)

    def _delete_superseded(self, within: Path) -> None:
        kept = set(segments.covering(within))
        gone = segments.expired(within)
        merged = [(segment, path) for segment, path in segments.listed(within) if path in kept]
        for segment, path in list(segments.listed(within)):
            stone = gone.get((segment.node, segment.log))
            if path in kept or (stone is not None and segment.end <= stone.end):
                continue
            newer_s = [
                cover.stat().st_mtime
                for whole, cover in merged
                if (whole.node, whole.log) == (segment.node, segment.log)
                and whole.start <= segment.start
                and segment.end <= whole.end
            ]
            if newer_s and self._now_s() - max(newer_s) > GRACE_S:
                path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the right to merge: a file that is locked as long as its process lives."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Busy from None
    finally:
        os.close(descriptor)


def _unbroken(chain: Sequence[Segment]) -> Sequence[Segment]:
    """Return the newest files that follow each other without a gap."""
    for index in range(len(chain) - 1, 0, -1):
        if chain[index - 1].end != chain[index].start:
            return chain[index:]
    return chain
