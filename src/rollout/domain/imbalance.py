"""A split that is broken: which arm has how many units against how many, how surely, and what does it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rollout.domain.evidence import Evidence
from rollout.domain.policy import Policy
from rollout.stats import balance, bars


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Distinct units of each arm, the control's first, and how many the split means to give it."""

    units: tuple[int, ...]
    expected: tuple[float, ...]
    log_e: float
    bar: float

    @property
    def p_value(self) -> float:
        """The chance that a split that holds would ever, at any look, seem as broken as this one."""
        return math.exp(-max(self.log_e, 0.0))

    @property
    def worst(self) -> int:
        """The arm that is furthest from what it should have, of equals a candidate: it is what is new."""
        off = [round(abs(found / planned - 1.0), 9) if planned else 0.0 for found, planned in self.pairs]
        return max(range(len(off)), key=lambda arm: (off[arm], arm))

    @property
    def pairs(self) -> tuple[tuple[int, float], ...]:
        """Found and planned, arm by arm."""
        return tuple(zip(self.units, self.expected, strict=True))

    @property
    def lacks(self) -> bool:
        """Whether the worst arm has too few: then its units get lost, otherwise units are made on it."""
        found, planned = self.pairs[self.worst]
        return found < planned


def imbalance(policy: Policy, evidence: Evidence, log_e: float) -> Imbalance:
    """Return how the units of a look fell to the arms, each stratum shared by the arms active in it."""
    enrolled = np.asarray(evidence.enrolled).reshape(-1, policy.arms)
    given = evidence.enrolled_arms
    active = np.ones_like(enrolled, dtype=np.bool_) if given is None else given.reshape(-1, policy.arms)
    counted = np.where(active, enrolled, 0)
    shares = active / np.maximum(active.sum(axis=-1, keepdims=True), 1)
    expected = (counted.sum(axis=-1, keepdims=True) * shares).sum(axis=0)
    return Imbalance(
        units=tuple(int(number) for number in counted.sum(axis=0)),
        expected=tuple(float(number) for number in expected),
        log_e=log_e,
        bar=float(bars.reject_bar(balance.ALPHA)),
    )


def causes(found: Imbalance, policy: Policy) -> tuple[str, ...]:
    """Return what breaks splits, the likeliest first, for an arm that lacks units or has too many."""
    header = policy.unit_header
    chosen = (
        f"something before the proxy chooses by a hash of {header} too (an older experiment, a gate, a "
        "cache, a load balancer), and sends some of one arm's users elsewhere"
    )
    gone = "users of one arm do not come back under the same id: its answer breaks or signs out the client"
    lost = (
        "records of one arm are lost or late: `rollout evidence` shows losses, `rollout nodes` a node that "
        "serves an older split"
    )
    made = f"one arm makes new ids: after its failures clients register again, or send another {header}"
    fixed = "crawlers or tests with ids of their own are sent to one arm by hand"
    changed = f"{header} is rewritten or dropped for some clients, and those are not spread evenly"
    return (chosen, gone, lost, changed) if found.lacks else (made, fixed, changed, chosen)
