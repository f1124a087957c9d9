"""The page about Prometheus: its policy can be started, and its tables are those of the code."""

from __future__ import annotations

import re

import pytest

from rollout.domain.promql import VARIABLES
from rollout.intake.polled import AGAIN_US, WAIT_S
from rollout.policyfile.reading import parse
from rollout.policyfile.unbuilt import unbuilt
from rollout.prometheus.client import LARGEST_SKEW_S
from rollout.prometheus.queries import LATE_MS, SETTLE_MS, TIMES_KEPT, questions
from rollout.prometheus.session import LARGEST_BODY
from tests.command import ROOT
from tests.prometheus.runs import at, running

PAGE = (ROOT / "docs" / "prometheus.md").read_text(encoding="utf-8")
(POLICY,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_its_policy_is_carried_out_and_asks_for_each_candidate() -> None:
    policy = parse(POLICY, "a.yaml")
    assert unbuilt(policy) == ()
    (metric,) = [metric for metric in policy.metrics if metric.query is not None]
    (asked,) = questions(running(metric), at(60))
    assert asked.asking.query == 'max(gpu_busy_ratio{model="predict", version="2.0.0"})'


def test_it_names_every_template() -> None:
    assert sorted(re.findall(r"^\| `\{\{(.*?)\}\}` \|", PAGE, re.MULTILINE)) == sorted(VARIABLES)


@pytest.mark.parametrize(
    "figure",
    [
        f"a quarter of the interval, at most {SETTLE_MS / 1_000:g} s",
        f"differ by more than {LARGEST_SKEW_S:g} s",
        f"a body above {LARGEST_BODY / 2**20:g} MiB",
        f"waits at most {WAIT_S * 1_000:g} ms",
        f"or {AGAIN_US / 1e6:g} s after a failure",
        f"within an interval, at most {LATE_MS / 1_000:g} s",
        {4: "four times `failureLimit`"}[TIMES_KEPT],
    ],
)
def test_its_figures_are_those_of_the_code(figure: str) -> None:
    assert figure in PAGE.replace("\n", " ").replace("  ", " ")
