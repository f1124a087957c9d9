"""Random worlds of several runs at once: late rows, outages, clocks that jump, and units that come back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from rollout.domain.records import MINUTE_US, WINDOW_US, Digest, ErrorEvent, Run, Side, Tally, UnitWindow
from rollout.store.counts import Counts, Told

BEGIN_US = 1_790_000_000_000_000
LOG = "0123456789abcdef" * 2
ARMS = ("control", "candidate1", "candidate2", "rest", "holdback", "promoted")
RUNS = (Run("first", 1), Run("first", 2), Run("second", 1))


@dataclass
class World:
    """Draws segments' digests around a clock that it moves itself."""

    seed: int
    now_us: int = BEGIN_US
    start: int = 0
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Seed its own chance."""
        self.chance = random.Random(self.seed)  # noqa: S311 (a history, no secret)

    def register(self, counts: Counts) -> None:
        """Have limits of all kinds counted."""
        for run in RUNS:
            counts.register(run, "p99", limit_us=250_000, share=0.05)
        for side in (Side.CONTROL, Side.CANDIDATES):
            counts.register(RUNS[0], "p95", limit_us=100_000, share=1.0, side=side)

    def step(self, counts: Counts) -> None:
        """Let time pass, now and then far or back, and hand in one segment."""
        self.now_us += self.chance.choice([0, 1, 1, 3, 20, 61, 400, 1_500, -40, -2_000]) * 1_000_000
        self.now_us += self.chance.randrange(1_000_000)
        digest = Digest(self._tallies(), self._errors(), self._windows(counts))
        told = Told("exposures", "node", LOG, self.start, self.start + 1, self.now_us, 0)
        assert counts.add(told, digest, self.now_us) == self.start + 1
        self.start += 1

    def _when(self) -> int:
        late_s = self.chance.choice([0, 0, 1, 5, 30, 100, 900, 4_000, 4_400, -20])
        return self.now_us - late_s * 1_000_000 - self.chance.randrange(10_000_000)

    def _tallies(self) -> tuple[Tally, ...]:
        cells = {
            (self.chance.choice(RUNS), self.chance.choice(ARMS), self._when() // MINUTE_US) for _ in range(4)
        }
        return tuple(
            Tally(run, -1, arm, minute, 7, 2, 0, 0, ((3, 5),)) for run, arm, minute in sorted(cells, key=str)
        )

    def _errors(self) -> tuple[ErrorEvent, ...]:
        return tuple(
            ErrorEvent(
                self.chance.choice(RUNS),
                self.chance.randrange(8),
                self._when(),
                self.chance.choice(ARMS),
                self.chance.randrange(1, 3),
            )
            for _ in range(self.chance.randrange(12))
        )

    def _windows(self, counts: Counts) -> tuple[UnitWindow, ...]:
        found: dict[tuple[int, str, int | None, int], tuple[int, int]] = {}
        for threshold in counts.thresholds():
            is_outage = self.chance.random() < 0.2
            for _ in range(self.chance.randrange(10)):
                arm = self.chance.choice(ARMS)
                unit = None if arm == "rest" else self.chance.randrange(-6, 6)
                if not threshold.has_outages:
                    arm = ("control" if threshold.side is Side.CONTROL else "candidate1") + "/1"
                x = 60 if is_outage and arm in {"control", "rest"} else self.chance.randrange(1, 9)
                y = self.chance.randrange(x // 2, x) if is_outage else int(self.chance.random() < 0.1)
                found[threshold.identity, arm, unit, self._when() // WINDOW_US] = (x, y)
        return tuple((*key, *pair) for key, pair in found.items())
