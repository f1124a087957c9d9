"""What many lives together say: how likely each end is, how long it takes, whom it harms, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaincinv

from rollout.domain.decision import Reason
from rollout.simulation.ending import Ending, Outcome
from rollout.simulation.simulate import Simulated

_TAIL: Final = 0.025
_QUANTILES: Final = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened, with the interval that holds the chance of it 95 times in 100."""

    count: int
    of: int

    @property
    def estimate(self) -> float:
        """The share."""
        return self.count / self.of

    @property
    def low(self) -> float:
        """The interval's lower end (Clopper and Pearson 1934, exact)."""
        return 0.0 if not self.count else float(betaincinv(self.count, self.of - self.count + 1, _TAIL))

    @property
    def high(self) -> float:
        """Its upper end."""
        if self.count == self.of:
            return 1.0
        return float(betaincinv(self.count + 1, self.of - self.count, 1.0 - _TAIL))


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the middle and the middle four fifths of some numbers lie."""

    tenth: float
    median: float
    nine_tenths: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Return the spread of some numbers, or nothing of none."""
        return cls(*(float(q) for q in np.quantile(values, _QUANTILES))) if values else None


@dataclass(frozen=True, slots=True)
class Why:
    """One reason that lives ended for."""

    outcome: Outcome
    reason: Reason
    metric: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Account:
    """What one rule did in all lives."""

    shares: dict[Outcome, Share]
    harmful: Share
    """Promoted although harmful just then."""
    times_s: dict[Outcome, Spread]


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a simulation."""

    simulated: Simulated
    ours: Account
    naive: Account | None
    """Nothing for a policy without a goal."""
    decided_s: Spread | None
    exposed: Spread
    """Users who met a harmful version, in one life."""
    exposed_mean: float
    exposed_share: float
    """Their share of all users who met a candidate."""
    reasons: tuple[Why, ...]


def result(simulated: Simulated) -> Result:
    """Return what the lives come to."""
    endings = simulated.endings
    exposed = [ending.exposed for ending in endings]
    spread = Spread.of(exposed)
    assert spread is not None  # noqa: S101 (ours: there is at least one replicate)
    tried = sum(ending.tried for ending in endings)
    return Result(
        simulated=simulated,
        ours=_ours(endings),
        naive=_naive(endings),
        decided_s=Spread.of([end.at_s for end in endings if end.outcome is not Outcome.RUNNING]),
        exposed=spread,
        exposed_mean=sum(exposed) / len(exposed),
        exposed_share=sum(exposed) / tried if tried else 0.0,
        reasons=_reasons(endings),
    )


def _ours(endings: Sequence[Ending]) -> Account:
    ends = [(end.outcome, end.at_s, end.was_harmful) for end in endings]
    known = [outcome for outcome in Outcome if outcome is not Outcome.UNDECIDED]
    return _account(ends, known)


def _naive(endings: Sequence[Ending]) -> Account | None:
    ends = [
        (end.naive.outcome, end.naive.at_s, end.naive.was_harmful) for end in endings if end.naive is not None
    ]
    return _account(ends, (Outcome.PROMOTED, Outcome.ROLLED_BACK, Outcome.UNDECIDED)) if ends else None


def _account(ends: Sequence[tuple[Outcome, float | None, bool]], known: Sequence[Outcome]) -> Account:
    counts = Counter(outcome for outcome, _, _ in ends)
    times = {
        outcome: Spread.of([at_s for found, at_s, _ in ends if found is outcome and at_s is not None])
        for outcome in known
    }
    return Account(
        shares={outcome: Share(counts[outcome], len(ends)) for outcome in known},
        harmful=Share(sum(was_harmful for _, _, was_harmful in ends), len(ends)),
        times_s={outcome: spread for outcome, spread in times.items() if spread is not None},
    )


def _reasons(endings: Sequence[Ending]) -> tuple[Why, ...]:
    """Return every reason, the most frequent first."""
    counts = Counter((end.outcome, end.reason, end.decision.metric) for end in endings)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0][0], item[0][1].name, item[0][2] or ""))
    return tuple(Why(*key, count) for key, count in order)
