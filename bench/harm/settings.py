"""What is measured: errors at one step of the ramp, in a new run or after a quiet week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rollout.domain.policy import WHOLE_BP, Policy
from rollout.policyfile.reading import read_bytes
from rollout.stats.starts import EVERY_S

PER_SECOND: Final = 500.0
QUIET_S: Final = 10.0
BAD_SHARE: Final = 0.2
PIPELINE_GOAL_S: Final = 2.0
GOLDEN_RATIO: Final = 0.618034
"""Its multiples fill an interval evenly, however many there are."""
_POLICY: Final = """\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {name}, owner: bench}}
spec:
  route: {{path: /{name}}}
  baseline: {{version: "1.4.2", url: "{baseline}"}}
  candidate: {{version: "2.0.0", url: "{candidate}"}}
  assignment: {{unit: "header:x-user-id", salt: {name}}}
  resilience: {{timeout: 3s, perTryTimeout: 300ms, fallback: baseline, maxFallback: 2%}}
  expect: {{requests: 500/s, converted: 12%, errors: 1%}}
  metrics:
    - {{name: converted, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 5%, window: 24h}}
    - {{name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 0.1%}}
    - {{name: p95, role: slo, source: proxy, type: latency, quantile: 0.95, max: 250ms}}
  risk: {{wrongPromotion: 5%, wrongRollback: 1%}}
  steps:
    - {{setWeight: {weight}%, hold: {{for: 30d, minUnits: 500}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 14d}}}}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 30d, then: pause}}}}
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One step, and whether the run is a week old when harm begins; how often, and what is hoped for."""

    name: str
    weight_bp: int
    is_old: bool
    runs: int
    goal_s: float | None = None

    @property
    def weight(self) -> float:
        """The candidate's share of the requests."""
        return self.weight_bp / WHOLE_BP

    @property
    def told(self) -> str:
        """The setting in words."""
        return f"{self.weight:.0%}, {'after 7 quiet days' if self.is_old else 'fresh'}"


SETTINGS: Final = (
    Setting("fresh-5", 500, is_old=False, runs=15, goal_s=3.0),
    Setting("week-5", 500, is_old=True, runs=15, goal_s=5.0),
    Setting("fresh-1", 100, is_old=False, runs=9),
    Setting("week-1", 100, is_old=True, runs=9),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and after how many quiet seconds under our eyes at least, a candidate begins to fail."""

    setting: Setting
    runs: int
    quiet_s: float = QUIET_S

    def quiet_before(self, number: int) -> float:
        """Return the quiet seconds of a run: up to ten more, because the tests start anew every ten."""
        return self.quiet_s + EVERY_S * (number * GOLDEN_RATIO % 1.0)


def policy_text(name: str, setting: Setting, *, baseline: str, candidate: str) -> str:
    """Return the policy of one run; nothing moves in it but by harm."""
    weight = f"{100 * setting.weight:g}"
    return _POLICY.format(name=name, baseline=baseline, candidate=candidate, weight=weight)


def policy_of(text: str) -> Policy:
    """Return a text's policy."""
    policy = read_bytes(text.encode(), "bench").policy
    if policy is None:
        raise SystemExit("bench: its own policy is wrong")
    return policy
