"""How long records are kept, how many are counted in detail, and how many may wait on a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is set; days of None are for ever."""

    exposures_days: int | None = None
    outcomes_days: int | None = None
    largest_unsent: int = 4096 * MIB
    """Bytes of a node's log; beyond it the newest records are dropped and counted."""
    accounts_memory: int = 1024 * MIB
    """Bytes that the accounts of all units may take; beyond it every experiment holds."""
    counted_rows: int = 2_000_000
    """Of each table of the fast counts; beyond it new ones are left out, and metrics hold."""
