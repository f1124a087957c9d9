"""What the language does not have, yet or on purpose, told to those who write it already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rollout.policyfile.leaves import Shape
from rollout.policyfile.metrics import LATER, NOT_YET
from rollout.policyfile.shapes import Decide, Resilience, Spec
from rollout.policyfile.steps import WeightStep
from rollout.policyfile.traffic import Assignment

MINTED: Final = f"{NOT_YET}: cookies minted for anonymous users"
BANDITS: Final = f"{NOT_YET}: bandits"

KEYS: Final[Mapping[tuple[type[Shape], str], tuple[str, str]]] = {
    (Assignment, "cookie"): (MINTED, "send the unit in a header"),
    (Assignment, "mint"): (MINTED, "send the unit in a header"),
    (Assignment, "mintCookie"): (MINTED, "send the unit in a header"),
    (Assignment, "bandit"): (BANDITS, "write `steps`"),
    (Spec, "bandit"): (BANDITS, "write `steps`"),
    (WeightStep, "bandit"): (BANDITS, "write `setWeight`"),
    (Spec, "drift"): LATER["drift"],
    (Spec, "fairness"): LATER["fairness"],
    (Decide, "proven"): (f"{NOT_YET}: a test that ends without a promotion", "remove it: proof promotes"),
    (Decide, "noEvidence"): ("absent evidence always holds", "write `noData`"),
    (Assignment, "holdBack"): ("unknown key: the hold-back is always 1%, and no key", "remove it"),
    (Assignment, "holdback"): ("unknown key: the hold-back is always 1%, and no key", "remove it"),
    (Resilience, "retries"): ("unknown key: a candidate is tried once", "write `fallback`"),
    (WeightStep, "pause"): ("unknown key: a step waits for its `hold`", "write `hold: {for: 30m}`"),
}
"""What is said of a key, and what to do, by the mapping in which it is written."""
