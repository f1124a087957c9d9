"""Processor time of another process, to the nanosecond: its own, whoever else is on the machine."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

# Linux numbers a process's clock after the process; `sched` is the one that the scheduler keeps.
_SCHED: Final = 2


def used_s(pids: Iterable[int]) -> float:
    """Return the processor seconds that these processes have used so far; raises OSError when one is gone."""
    return sum(time.clock_gettime((~pid << 3) | _SCHED) for pid in pids)
