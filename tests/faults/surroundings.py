"""What others do around us: to Envoy's log, to the disk, to the clock."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e.crowd import now_us
from tests.faults.disk import filled
from tests.faults.ends import FLUSH_US
from tests.faults.excuses import Loss, Offset, Window
from tests.faults.stage import Stage, await_true
from tests.faults.strike import Round

LOOKED_BACK_US: Final = 60_000_000
"""How old a line of the current log is at most."""
_TIME: Final = re.compile(rb'"ts":"(\d+)\.(\d{6})"')
STEPS_US: Final = (3_000_000, -3_000_000, 3_600_000_000, -3_600_000_000)


@contextmanager
def log_renamed(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Give the log another name, as a rotation does that tells nobody."""
    log = stage.access_log
    before = _inode(log)
    log.rename(log.with_name(f"{log.name}.1"))
    found = Round()
    yield found
    await_true("Envoy begins a new log", lambda: _inode(log) not in (before, None))
    found.met = 1


@contextmanager
def log_truncated(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Empty the log, as a rotation does that copies: what was not handed in is destroyed."""
    struck_us = now_us()
    oldest_us = _oldest_us(stage, struck_us)
    os.truncate(stage.access_log, 0)
    stage.excuses.losses.append(Loss(Window(oldest_us, now_us()), struck_us))
    yield Round(met=1)


@contextmanager
def log_deleted(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Delete the log: what was not handed in is destroyed, and what is written until a new one begins."""
    struck_us = now_us()
    oldest_us = _oldest_us(stage, struck_us)
    stage.access_log.unlink()
    found = Round()
    yield found
    await_true("Envoy begins a new log", stage.access_log.exists)
    found.met = 1
    stage.excuses.losses.append(Loss(Window(oldest_us, now_us()), struck_us))


@contextmanager
def control_disk_full(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Leave no byte of the control plane's disk free: what nodes hand in waits there."""
    with filled(stage.control_data):
        yield Round(met=int(os.statvfs(stage.control_data).f_bavail == 0))


@contextmanager
def node_disk_full(stage: Stage, _chance: random.Random) -> Iterator[Round]:
    """Leave no byte of the node's disk free: Envoy itself cannot write, and says so to nobody."""
    struck_us = now_us()
    with filled(stage.node_data):
        yield Round(met=int(os.statvfs(stage.node_data).f_bavail == 0))
    freed_us = now_us() + FLUSH_US
    stage.excuses.losses.append(Loss(Window(struck_us - FLUSH_US, freed_us), struck_us))


@contextmanager
def clock_set(stage: Stage, chance: random.Random) -> Iterator[Round]:
    """Set the clock of the whole node, seconds or an hour forward or back, and then set it right again."""
    offset_us = chance.choice(STEPS_US)
    assert stage.clock is not None
    struck_us = now_us()
    stage.clock.set(offset_us)
    try:
        yield Round(met=1)
    finally:
        stage.clock.set(0)
        stage.excuses.offsets += [
            Offset(Window(struck_us, now_us()), offset_us),
            *(Offset(Window(at_us, at_us + 1_000), 0) for at_us in (struck_us, now_us())),
        ]


def _oldest_us(stage: Stage, struck_us: int) -> int:
    """Return from when on lines may be in the log, or come into it while it is read: older ones are safe."""
    lines = _TIME.findall(stage.access_log.read_bytes())
    times = (at_us for line in lines for at_us in stage.excuses.true_times(int(b"".join(line))))
    recent = (at_us for at_us in times if struck_us - LOOKED_BACK_US < at_us <= struck_us)
    return min([struck_us - FLUSH_US, *recent])


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
