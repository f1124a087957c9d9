"""How many closed units in one arm a proof takes, if the candidate is what the plan assumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from rollout.stats import planning

POWER: Final = planning.POWER
LONGEST_POWER: Final = 0.895
"""What 2.2 fixed samples reach where W* was frozen for this very effect: worth waiting for, and no longer."""


class Effort(Protocol):
    """What one proof takes, in closed units of each arm."""

    @property
    def expected(self) -> float:
        """The mean."""

    @property
    def planned(self) -> float:
        """What gives a chance of 80 %."""

    @property
    def longest(self) -> float:
        """What is worth waiting for: a chance of about 90 %."""

    def chance(self, units: float) -> float:
        """Return how likely the proof is there by then."""

    def reachable(self, units: float) -> float | None:
        """Return the smallest effect, or the highest level of a limit, that has 80 % chance by then."""

    def writable(self, units: float) -> float | None:
        """Return the smallest effect that has it once the policy asks for it, and its test is tuned to it."""


@dataclass(frozen=True, slots=True)
class EitherEffort:
    """What it takes when one of two proofs is enough: the sooner one."""

    first: Effort
    second: Effort

    @property
    def expected(self) -> float:
        """The sooner one's."""
        return min(self.first.expected, self.second.expected)

    @property
    def planned(self) -> float:
        """The sooner one's."""
        return min(self.first.planned, self.second.planned)

    @property
    def longest(self) -> float:
        """The sooner one's."""
        return min(self.first.longest, self.second.longest)

    def chance(self, units: float) -> float:
        """Return the likelier one's chance."""
        return max(self.first.chance(units), self.second.chance(units))

    def reachable(self, units: float) -> float | None:
        """Return what the first one can prove."""
        return self.first.reachable(units)

    def writable(self, units: float) -> float | None:
        """Return what the first one could be asked for."""
        return self.first.writable(units)
