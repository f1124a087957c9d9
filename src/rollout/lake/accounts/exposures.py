"""Requests that may count for their units, and what each unit did in a batch of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollout.lake.accounts.asked import Counter, Trouble
from rollout.stats.arrays import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Exposures:
    """Analysed requests, one in each row: in a block, of a known unit, under an acknowledged split."""

    unit: IntArray
    ts_us: IntArray
    arm: IntArray
    """Its index: 0 is the control."""
    block: IntArray
    failed: BoolArray
    fell_back: BoolArray
    slow_us: IntArray
    """How long it took; for ever, when it failed or nobody waited for it."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.unit)

    def chosen(self, which: IntArray | BoolArray) -> Exposures:
        """Return some of them, or all in another order."""
        return Exposures(
            *(self.unit[which], self.ts_us[which], self.arm[which], self.block[which]),
            *(self.failed[which], self.fell_back[which], self.slow_us[which]),
        )

    def troubled(self, counter: Counter) -> BoolArray:
        """Return which of them a counter counts."""
        match counter.counted:
            case Trouble.ERROR:
                return self.failed
            case Trouble.FALLBACK:
                return self.fell_back
            case limits:
                return np.asarray(self.slow_us > np.array(limits, dtype=np.int64)[self.arm])


_NONE, _NO = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
NOTHING = Exposures(_NONE, _NONE, _NONE, _NONE, _NO, _NO, _NONE)


@dataclass(frozen=True, slots=True)
class Visits:
    """A batch by unit: each one's first request, its arms, and all its requests in the batch."""

    unit: IntArray
    first_us: IntArray
    block: IntArray
    """The block of its first request; of several in one microsecond the least."""
    low_arm: IntArray
    high_arm: IntArray
    number: IntArray
    requests: Exposures
    """Ordered by unit."""

    @classmethod
    def of(cls, batch: Exposures) -> Visits:
        """Return who came, in the order of their numbers."""
        requests = batch.chosen(np.lexsort((batch.block, batch.ts_us, batch.unit)))
        is_first = np.ones(len(requests), dtype=np.bool_)
        is_first[1:] = requests.unit[1:] != requests.unit[:-1]
        begins = np.flatnonzero(is_first)
        return cls(
            unit=requests.unit[begins],
            first_us=requests.ts_us[begins],
            block=requests.block[begins],
            low_arm=np.minimum.reduceat(requests.arm, begins) if len(begins) else requests.arm,
            high_arm=np.maximum.reduceat(requests.arm, begins) if len(begins) else requests.arm,
            number=np.diff(np.append(begins, len(requests))),
            requests=requests,
        )
