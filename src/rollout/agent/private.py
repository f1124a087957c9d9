"""Files that only their owner may read, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from rollout.lake import segments


def write_private(file: Path, text: str) -> None:
    """Replace a file by one that was never readable for others, not even for a moment."""
    fresh = file.with_name(file.name + segments.UNFINISHED)
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
