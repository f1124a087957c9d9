"""Policy files to start from: a good one as text, and the same with one change."""

from __future__ import annotations

from typing import Final

from rollout.policyfile.finding import worded
from rollout.policyfile.reading import read
from tests.command import ROOT

GOOD: Final = """\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {name: churn-v2, owner: growth-ml}
spec:
  route: {path: /churn}
  baseline: {version: "1.4.2", url: "http://churn-v1:8000"}
  candidate: {version: "2.0.0", url: "http://churn-v2:8000"}
  assignment: {unit: "header:x-user-id", salt: churn-2026q4}
  resilience: {timeout: 3s, perTryTimeout: 300ms, fallback: baseline, maxFallback: 1%}
  expect: {units: 400000/day, requests: 200/s, converted: 12%}
  metrics:
    - name: converted
      role: primary
      source: outcomes
      type: binary
      direction: increase
      minEffect: 5%
      window: 24h
    - {name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%}
    - {name: p99, role: slo, source: proxy, type: latency, quantile: 0.99, max: 250ms}
  steps:
    - {setWeight: 1%, hold: {for: 30m, minUnits: 500}}
    - {setWeight: 10%, hold: {for: 12h}}
    - {setWeight: 50%, hold: {until: verdict, atMost: 14d}}
"""

FULL: Final = (ROOT / "tests" / "golden" / "policies" / "full.yaml").read_text(encoding="utf-8")
"""Everything that the language has."""


def changed(old: str, new: str, text: str = GOOD) -> str:
    """Return the text with one change."""
    assert old in text
    return text.replace(old, new, 1)


def sentences(text: str) -> list[str]:
    """Return what is found in a text, worded."""
    return [worded(finding) for finding in read(text, "a.yaml").findings]
