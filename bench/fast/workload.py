"""An hour of many experiments' traffic, as the digests of its segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rollout.domain.experiment import Experiment, Phase
from rollout.domain.metric import MetricType
from rollout.domain.policy import Policy
from rollout.domain.records import MINUTE_US, NO_BLOCK, WINDOW_US, Digest, ErrorEvent, Run, Tally, UnitWindow
from tests.domain.examples import POLICY

BEGIN_US: Final = 1_790_000_000_000_000 // MINUTE_US * MINUTE_US
SECOND_US: Final = 1_000_000
HOUR_S: Final = 3_600
ARMS: Final = ("control", "candidate1", "rest")
SHARES: Final = (0.05, 0.05, 0.90)
USERS: Final = 20_000
"""Of each experiment; fewer when its traffic is small."""
FAILED: Final = 0.01
SLOW: Final = 0.01


@dataclass(frozen=True, slots=True)
class World:
    """So many experiments that share so many requests a second."""

    experiments: int
    per_second: int
    seed: int = 7

    def run(self, number: int) -> Run:
        """Return one experiment's run."""
        return Run(f"experiment{number}", 1)

    def policy(self, number: int) -> Policy:
        """Return one experiment's policy: errors, and a limit on latency."""
        metrics = tuple(
            one for one in POLICY.metrics if one.type in {MetricType.ERROR_RATE, MetricType.LATENCY}
        )
        return replace(POLICY, name=self.run(number).experiment, metrics=metrics)

    def experiment(self, number: int) -> Experiment:
        """Return where one stands: all started within the ten minutes before the hour."""
        started_us = BEGIN_US - (number * 7_919 % 600 + 1) * SECOND_US
        policy = self.policy(number)
        return Experiment(f"{number:08d}", policy, 1, Phase.RUNNING, 0, started_us, started_us, started_us)

    def segments(
        self, thresholds: list[int], from_s: int, seconds: int, each_s: int
    ) -> Iterator[tuple[int, Digest]]:
        """Yield (time of its end, digest) of segments that are each so many seconds long."""
        for at_s in range(from_s, from_s + seconds, each_s):
            yield BEGIN_US + (at_s + each_s) * SECOND_US, self._digest(thresholds, at_s, each_s)

    def _digest(self, thresholds: list[int], at_s: int, each_s: int) -> Digest:
        chance = np.random.default_rng((self.seed, at_s))
        events = self.per_second * each_s
        who = chance.integers(self.experiments, size=events)
        arm = chance.choice(len(ARMS), size=events, p=SHARES)
        unit = chance.integers(USERS, size=events) * 7_046_029_254_386_353_131
        at_us = BEGIN_US + at_s * SECOND_US + chance.integers(each_s * SECOND_US, size=events)
        failed, slow = chance.random(events) < FAILED, chance.random(events) < SLOW
        windows = at_us // WINDOW_US
        known = np.where(arm == ARMS.index("rest"), 0, unit)
        cells = np.stack([who, arm, known, windows], axis=1)
        distinct, place = np.unique(cells, axis=0, return_inverse=True)
        x, y = (np.bincount(place.reshape(-1), weights=part) for part in (np.ones(events), slow | failed))
        rows: list[UnitWindow] = [
            (thresholds[w], ARMS[a], None if a == ARMS.index("rest") else u, t, int(n), int(m))
            for (w, a, u, t), n, m in zip(distinct.tolist(), x.tolist(), y.tolist(), strict=True)
        ]
        errors = tuple(
            ErrorEvent(self.run(w), u, t, ARMS[a], 1)
            for w, a, u, t in zip(*(part[failed].tolist() for part in (who, arm, unit, at_us)), strict=True)
        )
        return Digest(self._tallies(who, arm, at_us, failed), errors, tuple(rows))

    def _tallies(self, *parts: NDArray[np.generic]) -> tuple[Tally, ...]:
        who, arm, at_us, failed = parts
        cells = np.stack([who, arm, at_us // MINUTE_US], axis=1)
        distinct, place = np.unique(cells, axis=0, return_inverse=True)
        n, bad = np.bincount(place.reshape(-1)), np.bincount(place.reshape(-1), weights=failed)
        return tuple(
            Tally(
                self.run(w),
                NO_BLOCK if a == ARMS.index("rest") else 1,
                ARMS[a],
                t,
                k,
                int(b),
                0,
                0,
                ((400, k),),
            )
            for (w, a, t), k, b in zip(distinct.tolist(), n.tolist(), bad.tolist(), strict=True)
        )
