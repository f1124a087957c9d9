"""How far the intake has acknowledged each log of this node: a small durable file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from rollout.lake import segments


class Offsets:
    """Losing the file loses nothing: the intake answers with its own cursor."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._known = msgspec.json.decode(file.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            self._known = {}

    def of(self, log: str) -> int:
        """Return the first byte of a log that is not acknowledged."""
        return self._known.get(log, 0)

    def acknowledged(self, log: str, offset: int) -> None:
        """Note what the intake said."""
        if self._known.get(log) != offset:
            self._known[log] = offset
            self._write()

    def keep_only(self, logs: Collection[str]) -> None:
        """Forget logs that are deleted."""
        kept = {log: offset for log, offset in self._known.items() if log in logs}
        if kept != self._known:
            self._known = kept
            self._write()

    def _write(self) -> None:
        unfinished = self._file.with_name(self._file.name + segments.UNFINISHED)
        unfinished.write_bytes(msgspec.json.encode(self._known))
        segments.publish(unfinished, self._file)
