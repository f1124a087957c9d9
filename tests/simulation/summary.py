"""What many worlds came to, in figures, and the story of one that broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.page import put
from rollout.domain.decision import Reason
from tests.simulation.faults import OFTENEST
from tests.simulation.life import Outcome

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
SECTION: Final = "simulation"
_LARGEST: Final = 10


@dataclass
class Summary:
    """Everything that was met so far."""

    lives: int = 0
    simulated_s: float = 0.0
    slowest_calm_s: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    broken: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one more life."""
        self.lives += 1
        self.simulated_s += outcome.lasted_s
        self.slowest_calm_s = max(self.slowest_calm_s, outcome.calm_s)
        self.struck.update(outcome.struck)
        self.decisions.update(outcome.decisions)
        self.phases.update(outcome.phases)
        if outcome.broken is not None:
            self.broken.append(outcome)

    @property
    def unmet(self) -> list[str]:
        """Which kinds of fault never struck."""
        return [kind for kind in OFTENEST if not self.struck[kind]]

    def lines(self, first: int, elapsed_s: float) -> list[str]:
        """Return the figures."""
        reasons = ", ".join(f"{name} {number:,}" for name, number in self.decisions.most_common(_LARGEST))
        ends = ", ".join(f"{name} {number:,}" for name, number in self.phases.most_common())
        whole = (
            f"{self.lives:,} worlds (`--first {first}`), {self.simulated_s / 3600:,.0f} hours of their time, "
            f"in {elapsed_s:,.0f} s ({self.lives / max(elapsed_s, 1e-9):,.0f} a second): "
            f"{sum(self.struck.values()):,} faults, {sum(self.decisions.values()):,} recorded decisions for "
            f"{len(self.decisions)} of {len(Reason)} reasons, {len(self.broken)} broken promises. "
            f"The slowest world came to rest {self.slowest_calm_s:,.0f} s after its last fault."
        )
        return [
            whole,
            "",
            f"Runs stood at the end: {ends}.",
            "",
            f"Most frequent decisions: {reasons}.",
            "",
            *table(self.struck),
        ]


def table(struck: Mapping[str, int]) -> list[str]:
    """Return how often each kind of fault struck."""
    return [
        "| fault | struck |",
        "|---|---:|",
        *(f"| {kind} | {struck.get(kind, 0):,} |" for kind in OFTENEST),
    ]


def told(outcome: Outcome, without: Sequence[str] = ()) -> list[str]:
    """Return the story of a world that broke, and how it is repeated."""
    options = "".join(f" --without '{kind}'" for kind in without)
    faults = ", ".join(f"{kind} {number}" for kind, number in outcome.struck.items())
    return [
        f"seed {outcome.seed}: {outcome.broken}",
        f"  faults that struck: {faults or 'none'}",
        *(f"  {line}" for line in outcome.story),
        f'  again: make simulation ARGS="--seeds 1 --first {outcome.seed}{options}"',
    ]


def write(lines: Sequence[str]) -> None:
    """Put the figures into the page."""
    put(PAGE, SECTION, "\n".join(lines))
