"""What a policy asks for and nobody carries out yet is named: one change, one feature."""

from __future__ import annotations

import pytest

from rollout.policyfile.reading import parse
from rollout.policyfile.unbuilt import UNBUILT, unbuilt
from tests.command import ROOT
from tests.policyfile.files import FULL, GOOD, changed

ONE = 'candidate: {version: "2.0.0", url: "http://churn-v2:8000"}'
MEAN = "{name: m, role: observe, source: outcomes, type: mean, window: 1h}"
SPENT = (
    "{name: m, role: guardrail, source: outcomes, type: mean, direction: increase, margin: 5%, window: 1h}"
)


def with_metric(metric: str) -> str:
    return changed("    - {name: errors", f"    - {metric}\n    - {{name: errors")


BUILT = {
    "approve steps": GOOD + "    - {approve: [leads]}\n",
    "spec.route.host": changed("{path: /churn}", "{path: /churn, host: a.example.com}"),
    "spec.candidates: more than one": changed("50%, hold", "25%, hold").replace(
        ONE, f'candidates: [{ONE.removeprefix("candidate: ")}, {{version: "3", url: "http://churn-v3:8000"}}]'
    ),
    "http2": changed('"http://churn-v2:8000"', '"http://churn-v2:8000", http2: true'),
    "tls": changed('"http://churn-v2:8000"', '"https://churn-v2:8443"'),
    "headers": changed('"http://churn-v2:8000"', '"http://churn-v2:8000", headers: {x-a: b}'),
    "credential": changed('"http://churn-v2:8000"', '"http://churn-v2:8000", credential: churn'),
    "healthCheck": changed('"http://churn-v2:8000"', '"http://churn-v2:8000", healthCheck: /healthz'),
    "spec.assignment.layer": changed("salt:", "layer: {name: a, share: 50%}, salt:"),
    "spec.assignment.holdout": changed("salt:", "holdout: 1%, salt:"),
    "spec.assignment.match": changed("salt:", "match: [{header: x-tier, present: true}], salt:"),
    "covariates": changed("window: 24h", "window: 24h\n      covariate: {preWindow: 14d}"),
    "guardrails from outcomes": changed(
        "    - {name: errors",
        f"    - {SPENT.replace('mean', 'binary')}\n    - {{name: errors",
    ),
    "guardrails on latency": changed("role: slo", "role: guardrail"),
    "role observe": changed("role: slo", "role: observe"),
    "metrics from prometheus": with_metric("{name: gpu, role: slo, source: prometheus, query: gpu, max: 1}"),
    "metrics of type mean": with_metric(SPENT),
    "metrics of type count": with_metric(SPENT.replace("mean", "count")),
    "metrics of type ratio": with_metric(
        SPENT.replace("mean", "ratio").replace("window", "numerator: a, denominator: b, window")
    ),
}
FEATURES = {
    "warmup": changed("minUnits: 500}", "minUnits: 500}, warmup: 2m"),
    "mirror steps": changed("  steps:\n", "  steps:\n    - {mirror: 1%, hold: {for: 1h}}\n"),
    "actions by workflowTemplate": GOOD + "  actions: {promote: {workflowTemplate: promote-model}}\n",
}


def asked(text: str) -> tuple[str, ...]:
    return unbuilt(parse(text, "a.yaml"))


@pytest.mark.parametrize("feature", FEATURES)
def test_one_change_asks_for_one_feature(feature: str) -> None:
    assert asked(FEATURES[feature]) == (feature,)


def test_each_feature_is_asked_for_once() -> None:
    assert {name for name, _ in UNBUILT} == FEATURES.keys()


def test_everything_at_once_is_named_at_once() -> None:
    assert set(asked(FULL)) > {"warmup", "mirror steps"}


@pytest.mark.parametrize("feature", BUILT)
def test_what_the_data_plane_does_is_no_longer_refused(feature: str) -> None:
    assert asked(BUILT[feature]) == ()


@pytest.mark.parametrize("name", ["first", "churn", "fraud"])
def test_what_is_carried_out_is_not_named(name: str) -> None:
    assert asked((ROOT / "policies" / f"{name}.yaml").read_text(encoding="utf-8")) == ()
