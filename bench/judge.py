"""What judging costs: a thousand replicates in one call, beside one replicate at a time, in the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench import timing
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge, judge_many
from rollout.domain.policy import Policy
from tests.domain.batches import EVERYTHING, Draws, only
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US

SIZES: Final = (1, 100, 1_000)
ROUNDS: Final = 5
SEED: Final = 2026
POLICIES: Final[Mapping[str, Policy]] = {
    "goal, errors, limit, fallback": POLICY,
    "every type of metric, two candidates": EVERYTHING,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One policy: microseconds for each replicate and look at each size, and one at a time."""

    name: str
    together: tuple[float, ...]
    alone: float

    @property
    def ratio(self) -> float:
        """How many times as long one at a time takes as the largest number at once."""
        return self.alone / self.together[-1]


def table() -> list[Row]:
    """Measure every policy."""
    return [_row(name, policy) for name, policy in POLICIES.items()]


def lines(rows: list[Row]) -> list[str]:
    """Return the table as Markdown."""
    sizes = " | ".join(f"{size:,} at once" for size in SIZES)
    found = [f"| µs for each replicate and look | {sizes} | one at a time | ratio |"]
    found.append("|---|" + "---:|" * (len(SIZES) + 2))
    for row in rows:
        cells = " | ".join(f"{value:,.0f} µs" for value in (*row.together, row.alone))
        found.append(f"| {row.name} | {cells} | {row.ratio:,.0f} |")
    return found


def look(policy: Policy, replicates: int) -> tuple[tuple[Experiment, ...], Evidence]:
    """Return runs of a policy at their last step, and one look at all of them."""
    seen = Draws(np.random.default_rng(SEED), replicates).look(policy)
    # What a weight step sees: no copies, and every arm active from the first unit on.
    arms = tuple(replace(arm, mirrored=None) for arm in seen.arms)
    run = replace(EXPERIMENT, policy=policy)
    return (run,) * replicates, replace(seen, arms=arms, enrolled_arms=None)


def _row(name: str, policy: Policy) -> Row:
    calls: dict[str, Callable[[], object]] = {}
    for size in SIZES:
        runs, seen = look(policy, size)
        calls[f"{size}"] = lambda runs=runs, seen=seen: judge_many(runs, seen, NOW_US, Patience())  # type: ignore[misc]
    runs, seen = look(policy, SIZES[1])
    each = [only(seen, number, replicates=SIZES[1]) for number in range(SIZES[1])]
    calls["alone"] = lambda: [
        judge(run, one, NOW_US, Patience()) for run, one in zip(runs, each, strict=True)
    ]
    found = timing.fastest(calls, rounds=ROUNDS)
    together = tuple(found[f"{size}"] / size * 1e6 for size in SIZES)
    return Row(name, together, found["alone"] / SIZES[1] * 1e6)


if __name__ == "__main__":
    print("\n".join(lines(table())))
