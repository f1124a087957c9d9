"""What a node could not keep: counted for each run, durably, and never forgotten by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from rollout import logs
from rollout.lake import segments

ANYBODY: Final = ""
"""The experiment of records whose own is not known: they may have been anybody's."""
LARGEST: Final = 1_000
"""How many runs are told apart; what is lost beyond them is anybody's."""
_log = logs.get("losses")


class Loss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Records of one run that never reach the lake; `rows` is what is known, and may be nothing."""

    kind: str
    experiment: str
    revision: int
    rows: int
    bytes: int
    from_us: int
    to_us: int

    def with_more(self, other: Loss) -> Loss:
        """Return both as one; the older one's run stands."""
        return Loss(
            *(self.kind, self.experiment, self.revision),
            *(self.rows + other.rows, self.bytes + other.bytes),
            *(min(self.from_us, other.from_us), max(self.to_us, other.to_us)),
        )


class Losses:
    """Sums since this node began; the control plane reads the same sums any number of times."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._turn = threading.Lock()
        self._is_written = True
        self._sums: dict[tuple[str, str, int], Loss] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        for loss in _read(file):
            self._add(loss)

    def all(self) -> tuple[Loss, ...]:
        """Return every loss, one for each kind and run."""
        with self._turn:
            return tuple(self._sums.values())

    def note(self, losses: Iterable[Loss], *, why: str) -> None:
        """Add losses, on the disk if it has room for them: without room they are tried again by `settle`."""
        found = list(losses)
        with self._turn:
            for loss in found:
                self._add(loss)
            self._is_written = self._is_written and not found
        for loss in found:
            _log.error(
                "records are lost; experiments that need them hold", why=why, **msgspec.to_builtins(loss)
            )
        self.settle()

    def settle(self) -> None:
        """Put on the disk what is not there yet."""
        with self._turn:
            if self._is_written:
                return
            unfinished = self._file.with_name(self._file.name + segments.UNFINISHED)
            try:
                unfinished.write_bytes(msgspec.json.encode(list(self._sums.values())))
                segments.publish(unfinished, self._file)
            except OSError as error:
                _log.warning("losses are not on the disk yet", file=str(self._file), why=str(error))
            else:
                self._is_written = True

    def _add(self, loss: Loss) -> None:
        key = (loss.kind, loss.experiment, loss.revision)
        if key not in self._sums and len(self._sums) >= LARGEST:
            key = (loss.kind, ANYBODY, 0)
        known = self._sums.get(key)
        if known is None:
            known = Loss(*key, rows=0, bytes=0, from_us=loss.from_us, to_us=loss.to_us)
        self._sums[key] = known.with_more(loss)


def _read(file: Path) -> list[Loss]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Loss])
    except FileNotFoundError:
        return []
    except msgspec.MsgspecError as error:
        # That something was lost must not be forgotten because nobody can read what it was.
        _log.error("the file of losses cannot be read", file=str(file), why=str(error))
        written_us = file.stat().st_mtime_ns // 1_000
        return [Loss("exposures", ANYBODY, 0, rows=0, bytes=0, from_us=0, to_us=written_us)]
