"""Three stories of one company: a model that is better, one that begins to fail, one with a broken split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout.demo.models import Model
from rollout.demo.users import Crowd, everybody
from rollout.domain.assignment import Block, Placement, Split, arm_index, place_of
from rollout.domain.policy import Policy
from rollout.policyfile.reading import read_bytes

BREAKS_AFTER_S: Final = 35.0
BROKEN_SHARE: Final = 0.2
PROMOTED_FILE: Final = "promoted"
GOOD, BAD, BROKEN = "churn-v2", "fraud-v4", "search-v3"


@dataclass(frozen=True, slots=True)
class Story:
    """One experiment: its two models, its users, its policy, and how it should end."""

    name: str
    baseline: Model
    candidate: Model
    crowd: Crowd
    template: str
    """The policy, but for the addresses of the models and the file that the promotion makes."""
    phase: str
    """Where it stands in the end."""
    reason: str
    """Why it does so: the decision that led there."""
    has_gate: bool = False
    """Whether an older gate of the company stands before the proxy."""

    def policy(self, baseline_url: str, candidate_url: str, folder: Path) -> str:
        """Return the policy's text, for the addresses that the models got."""
        known = {"BASELINE_URL": baseline_url, "CANDIDATE_URL": candidate_url}
        text = self.template
        for word, value in (known | {"PROMOTED_FILE": str(folder / PROMOTED_FILE)}).items():
            text = text.replace(word, value)
        return text

    def admits(self, text: str) -> Callable[[str], bool]:
        """Return which users reach the proxy under a policy: everybody, or whom the gate lets pass."""
        policy = read_bytes(text.encode(), self.name).policy
        return _old_gate(policy) if self.has_gate and policy is not None else everybody


def _old_gate(policy: Policy) -> Callable[[str], bool]:
    """Return a gate that hashes users as the proxy does, salt included, and sends some of them elsewhere.

    It meets only users of the new version, every second of them: what is left are not two equal groups.
    """
    placement = Placement(policy, 1, Split(steps_on=len(policy.steps)))

    def admits(unit: str) -> bool:
        place = place_of(placement, unit)
        is_candidate = isinstance(place, Block) and arm_index(place.arm) > 0
        return not (is_candidate and int(unit.rpartition("-")[2]) % 2)

    return admits


def _breaks(age_s: float) -> float:
    return BROKEN_SHARE if age_s > BREAKS_AFTER_S else 0.0


_PROXY_METRICS: Final = """\
    - {name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 1%, window: 4s}
    - {name: p99, role: slo, source: proxy, type: latency, quantile: 0.99, max: 250ms, window: 4s}
"""
_END: Final = """\
  decide: {inconclusive: pause, mismatch: pause, noData: {hold: 2m, then: pause}}
"""
_RESILIENCE: Final = "{timeout: 3s, perTryTimeout: 500ms, fallback: baseline, maxFallback: 1%}"

STORIES: Final = (
    Story(
        GOOD,
        Model("1.4.2"),
        Model("2.0.0"),
        Crowd("/churn", "x-user-id", "converted", {"1.4.2": 0.2, "2.0.0": 0.32}, 110.0),
        f"""\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {GOOD}, owner: growth-ml}}
spec:
  route: {{path: /churn}}
  baseline: {{version: "1.4.2", url: "BASELINE_URL"}}
  candidate: {{version: "2.0.0", url: "CANDIDATE_URL"}}
  assignment: {{unit: "header:x-user-id", salt: demo-churn}}
  resilience: {_RESILIENCE}
  expect: {{converted: 20%}}
  metrics:
    - {{name: converted, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 40%, window: 4s}}
{_PROXY_METRICS}\
  steps:
    - {{setWeight: 10%, hold: {{for: 8s, minUnits: 20}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 5m}}}}
{_END}\
  actions:
    promote: {{command: [touch, "PROMOTED_FILE"], deadline: 30s}}
  watch: {{for: 5s}}
""",
        "promoted",
        "GOAL_PROVEN",
    ),
    Story(
        BAD,
        Model("3.9.0"),
        Model("4.0.0", fails=_breaks),
        Crowd("/fraud", "x-account-id", "caught", {"3.9.0": 0.3, "4.0.0": 0.3}, 110.0),
        f"""\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {BAD}, owner: risk-ml}}
spec:
  route: {{path: /fraud}}
  baseline: {{version: "3.9.0", url: "BASELINE_URL"}}
  candidate: {{version: "4.0.0", url: "CANDIDATE_URL"}}
  assignment: {{unit: "header:x-account-id", salt: demo-fraud}}
  resilience: {_RESILIENCE}
  expect: {{caught: 30%}}
  metrics:
{_PROXY_METRICS}\
    - {{name: caught, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 40%, window: 4s}}
  steps:
    - {{setWeight: 10%, hold: {{for: 20s, minUnits: 20}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 5m}}}}
{_END}""",
        "rolled-back",
        "METRIC_HARMED",
    ),
    Story(
        BROKEN,
        Model("2.8.0"),
        Model("3.0.0"),
        Crowd("/search", "x-user-id", "clicked", {"2.8.0": 0.2, "3.0.0": 0.32}, 40.0),
        f"""\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {BROKEN}, owner: search-ml}}
spec:
  route: {{path: /search}}
  baseline: {{version: "2.8.0", url: "BASELINE_URL"}}
  candidate: {{version: "3.0.0", url: "CANDIDATE_URL"}}
  assignment: {{unit: "header:x-user-id", salt: demo-search}}
  resilience: {_RESILIENCE}
  expect: {{clicked: 20%}}
  metrics:
    - {{name: clicked, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 40%, window: 4s}}
{_PROXY_METRICS}\
  steps:
    - {{setWeight: 20%, hold: {{for: 30s, minUnits: 200}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 5m}}}}
{_END}""",
        "paused",
        "MISMATCH_PAUSES",
        has_gate=True,
    ),
)
"""The order in which they are started and told."""
