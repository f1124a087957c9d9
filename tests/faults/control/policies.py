"""What is decided while faults strike: runs that prove themselves, that harm, and that only people move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout.domain.assignment import CONTROL
from tests.e2e.crowd import Manner
from tests.faults.stage import BASELINE, CANDIDATE, CROWD, HEADER, NAME

GOOD: Final = "good"
"""Whose candidates convince far more users; they are promoted by proof."""
BAD: Final = "bad"
"""Whose candidates fail two requests of five; they are rolled back by proof."""
HANDS: Final = "hands"
"""Whose candidates differ in nothing: people alone promote, roll back and stop them."""
FAILS: Final = 0.4
METRIC: Final = {NAME: "converted", GOOD: "bought", BAD: "caught", HANDS: "told"}
FIRST_VERSION: Final = 1
_SETTLED: Final = Manner(
    f"/{NAME}",
    *(HEADER, METRIC[NAME]),
    CROWD.convinces,
    per_second=70.0,
    callers=20,
    users=160,
    fresh=0.1,
    posts=0.3,
    strangers=0.02,
    insists=True,
)
"""Of each node's users of the run that goes on for ever."""
CROWDS: Final = {
    NAME: _SETTLED,
    GOOD: Manner(
        f"/{GOOD}",
        *(HEADER, METRIC[GOOD]),
        {CONTROL: 0.1, CANDIDATE: 0.6},
        per_second=60.0,
        callers=12,
        insists=True,
    ),
    BAD: Manner(
        f"/{BAD}",
        *(HEADER, METRIC[BAD]),
        {CONTROL: 0.2, CANDIDATE: 0.2},
        per_second=60.0,
        callers=12,
        insists=True,
    ),
    HANDS: Manner(
        f"/{HANDS}",
        *(HEADER, METRIC[HANDS]),
        {CONTROL: 0.3, CANDIDATE: 0.3},
        per_second=30.0,
        callers=6,
        insists=True,
    ),
}
STEADY_STEP: Final = "{setWeight: 40%, hold: {until: verdict, atMost: 14d}}"
_POLICY: Final = """\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {name}, owner: tests}}
spec:
  route: {{path: /{name}}}
  baseline: {{version: "{baseline}", url: "{baseline_url}"}}
  candidate: {{version: "{candidate}", url: "{candidate_url}"}}
  assignment: {{unit: "header:x-user-id"}}
  resilience: {{timeout: 10s, perTryTimeout: 3s, fallback: baseline, maxFallback: {fallback}}}
  expect: {{{metric}: 20%}}
  metrics:
    - {{name: {metric}, role: primary, source: outcomes, type: binary, direction: increase, minEffect: 50%,
        window: 1s}}
{guardrails}  steps:
    - {step}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 12h, then: pause}}}}
"""
_GUARDRAIL: Final = """\
    - {{name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 20%, window: 1s}}
"""
_ACTIONS: Final = """\
  watch: {{for: 1s}}
  actions:
    promote: {{command: [/bin/sh, -c, '{note}{then}'], deadline: 60s}}
    rollback: {{command: [/bin/sh, -c, '{note}'], deadline: 60s}}
"""
_NOTE: Final = "echo $(date +%s%N) $ROLLOUT_ACTION $ROLLOUT_POLICY $ROLLOUT_UID $ROLLOUT_VERSION >> {effects}"
_FAILS_FIRST: Final = "; if mkdir {effects}-$ROLLOUT_UID; then exit 1; fi"


@dataclass(frozen=True, slots=True)
class Urls:
    """Where models are: two that are sound, and one that fails."""

    one: str
    other: str
    failing: str


@dataclass(frozen=True, slots=True)
class Texts:
    """Writes the policy of each run, which is another one each time."""

    urls: Urls
    effects: Path
    """To which every action adds a line."""

    def steady(self) -> str:
        """Return the policy that goes on for ever, so that each user keeps an arm."""
        return _POLICY.format(
            name=NAME,
            baseline=BASELINE,
            baseline_url=self.urls.one,
            candidate="2",
            candidate_url=self.urls.other,
            fallback="99%",
            metric=METRIC[NAME],
            guardrails="",
            step=STEADY_STEP,
        )

    def of(self, name: str, served: int, candidate: int) -> str:
        """Return the policy that tries a version, while another one is served."""
        sound = (self.urls.one, self.urls.other)
        text = _POLICY.format(
            name=name,
            baseline=served,
            baseline_url=self.urls.one if name == BAD else sound[served % 2],
            candidate=candidate,
            candidate_url=self.urls.failing if name == BAD else sound[candidate % 2],
            fallback="60%",
            metric=METRIC[name],
            guardrails="" if name == HANDS else _GUARDRAIL.format(),
            step="{setWeight: 50%, hold: {until: verdict, atMost: 14d}}",
        )
        note = _NOTE.format(effects=self.effects)
        then = _FAILS_FIRST.format(effects=self.effects) if name == HANDS else ""
        return text + _ACTIONS.format(note=note, then=then)
