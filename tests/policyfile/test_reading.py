"""A good file becomes the policy it describes; what is not written has its default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rollout.domain.policy import (
    Actions,
    Choice,
    Decide,
    Expect,
    Level,
    LocalCommand,
    Policy,
    Resilience,
    Risk,
)
from rollout.errors import WrongPolicy
from rollout.policyfile.finding import worded
from rollout.policyfile.reading import MAXIMUM_BYTES, MAXIMUM_FINDINGS, parse, read, read_bytes, read_file
from tests.domain.examples import POLICY
from tests.policyfile.files import GOOD, changed, sentences


def written_out(policy: Policy) -> Policy:
    """Return the domain's example with what this file writes beyond it."""
    expect = Expect(400_000.0, 200.0, {"converted": Level(0.12)})
    baseline = replace(policy.baseline, url="http://churn-v1:8000")
    candidate = replace(policy.candidates[0], url="http://churn-v2:8000")
    return replace(policy, baseline=baseline, candidates=(candidate,), expect=expect)


def test_the_good_file_is_the_example_of_the_domain() -> None:
    assert parse(GOOD, "a.yaml") == written_out(POLICY)
    assert sentences(GOOD) == []


def test_everything_that_can_be_written_arrives() -> None:
    more = """\
  risk: {wrongPromotion: 2%, wrongRollback: 3%}
  decide: {inconclusive: rollback, mismatch: rollback, noData: {hold: 90s, then: rollback}}
  actions:
    promote: {command: [./promote.sh, "1.10"], deadline: 30s}
    rollback: {command: [./rollback.sh]}
"""
    policy = parse(GOOD + more, "a.yaml")
    assert policy.risk == Risk(0.02, 0.03)
    assert policy.decide == Decide(Choice.ROLL_BACK, Choice.ROLL_BACK, 90.0, Choice.ROLL_BACK)
    assert policy.actions == Actions(
        LocalCommand(("./promote.sh", "1.10"), 30.0), LocalCommand(("./rollback.sh",), 1800.0)
    )


def test_defaults_are_those_of_the_domain() -> None:
    bare = changed(
        "  resilience: {timeout: 3s, perTryTimeout: 300ms, fallback: baseline, maxFallback: 1%}\n", ""
    )
    bare = changed("  expect: {units: 400000/day, requests: 200/s, converted: 12%}\n", "", bare)
    policy = parse(changed(", salt: churn-2026q4", "", bare), "a.yaml")
    assert policy.resilience == Resilience()
    assert policy.expect == Expect()
    assert (policy.risk, policy.decide, policy.actions) == (Risk(), Decide(), Actions())
    assert policy.salt == policy.name == "churn-v2"
    assert [metric.window_s for metric in policy.metrics[1:]] == [600.0, 600.0]


@pytest.mark.parametrize(
    ("old", "new", "seconds"),
    [("24h", "1440m", 86_400.0), ("24h", "1d", 86_400.0), ("24h", "0.5h", 1_800.0), ("24h", "300ms", 0.3)],
)
def test_durations(old: str, new: str, seconds: float) -> None:
    assert parse(changed(old, new), "a.yaml").metrics[0].window_s == seconds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("1h30m", "90m"), ("30 min", "30m"), ("2w", "14d"), ("1d 12h", "36h"), ("90sec", "90s")),
        *(("0h", None), ("1000w", None), ("6 months", None), ("", None), ("365d1s", None)),
    ],
)
def test_what_was_meant_by_another_duration_is_guessed(written: str, meant: str | None) -> None:
    (said,) = sentences(changed("window: 24h", f'window: "{written}"'))
    assert said.endswith(f"; did you mean '{meant}'?" if meant else ")"), said
    if meant:
        assert sentences(changed("window: 24h", f"window: {meant}")) == []


@pytest.mark.parametrize(
    ("text", "basis_points"), [("0.01%", 1), ("0.07%", 7), ("0.57%", 57), ("9.99%", 999)]
)
def test_weights_are_exact(text: str, basis_points: int) -> None:
    assert parse(changed("setWeight: 1%", f"setWeight: {text}"), "a.yaml").steps[0].weight_bp == basis_points


def test_levels_may_have_a_deviation() -> None:
    policy = parse(changed("converted: 12%", "converted: {mean: 0.12, sd: 0.3}"), "a.yaml")
    assert policy.expect.levels == {"converted": Level(0.12, 0.3)}


def test_a_wrong_file_raises_every_error_and_no_warning() -> None:
    wrong = changed("minEffect", "minEfect", changed("fallback: baseline, ", "", changed("50%", "60%")))
    with pytest.raises(WrongPolicy) as raised:
        parse(wrong, "a.yaml")
    assert [str(problem) for problem in raised.value.problems] == [
        "a.yaml:17: spec.metrics[0].minEfect: unknown key; did you mean 'minEffect'?",
        (
            "a.yaml:24: spec.steps[2].setWeight: must be at most 50% with one candidate (got 60%); "
            "docs/policy.md describes every key"
        ),
    ]


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"\xff" * (MAXIMUM_BYTES + 1))
    for reading in (read_file(file, "large.yaml"), read("#" * (MAXIMUM_BYTES + 1), "large.yaml")):
        assert [worded(finding) for finding in reading.findings] == [
            "large.yaml: larger than 256 KiB; name a policy, not another file"
        ]
    whole = GOOD.encode() + b"#" * (MAXIMUM_BYTES - len(GOOD))
    assert read_bytes(whole, "large.yaml").policy is not None


def test_many_mistakes_are_cut_off_and_still_forbid() -> None:
    reading = read(GOOD + "".join(f"  zzz{number}: 1\n" for number in range(300)), "a.yaml")
    assert len(reading.findings) == MAXIMUM_FINDINGS + 1
    assert worded(reading.findings[-1]) == "a.yaml: 200 more findings; mend these first"
    assert reading.policy is None


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    expected = parse(GOOD, "a.yaml")
    assert parse("\ufeff" + GOOD, "a.yaml") == expected
    assert parse(GOOD.replace("\n", "\r\n"), "a.yaml") == expected
