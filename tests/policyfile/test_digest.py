"""A policy is identified by what it means."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollout.domain.policy import Actions, Decide, LocalCommand, Policy, Risk
from rollout.domain.revise import Unrevisable, revise
from rollout.policyfile.digest import canonical, digest
from rollout.policyfile.reading import parse
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US
from tests.policyfile.files import GOOD, changed

# Stored in ledgers: a change here would make every running policy look new.
AGREED = "sha256:20425d00be5d7cd76f3bc04954290670d33476484d6dd86c754e8010314b34d3"


def test_the_digest_of_a_known_policy_never_changes() -> None:
    assert digest(POLICY) == AGREED


def test_comments_order_and_other_words_for_the_same_change_nothing() -> None:
    same = changed("timeout: 3s, perTryTimeout: 300ms", "perTryTimeout: 0.3s, timeout: 3000ms")
    same = changed("24h", "1d", f"# another comment\n{same}")
    assert digest(parse(same, "b.yaml")) == digest(parse(GOOD, "a.yaml"))


def test_a_written_default_changes_nothing() -> None:
    written = f"{GOOD}  risk: {{wrongPromotion: 5%, wrongRollback: 1%}}\n"
    assert digest(parse(written, "b.yaml")) == digest(parse(GOOD, "a.yaml"))
    assert "risk" not in json.loads(canonical(parse(written, "b.yaml")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"2.0.0"', '"2.0.1"'),
        ("24h", "23h"),
        ("12%", "13%"),
        ("setWeight: 10%", "setWeight: 11%"),
        ("churn-2026q4", "churn-2026q3"),
        ("max: 250ms", "max: 251ms"),
    ],
)
def test_any_change_of_the_experiment_is_a_new_revision(old: str, new: str) -> None:
    before, after = parse(GOOD, "a.yaml"), parse(changed(old, new), "a.yaml")
    assert digest(before) != digest(after)
    followed = revise(replace(EXPERIMENT, policy=before), after, NOW_US)
    assert isinstance(followed, Unrevisable) or followed.revision == EXPERIMENT.revision + 1


@pytest.mark.parametrize(
    "after",
    [
        replace(POLICY, owner="others"),
        replace(POLICY, decide=Decide(no_data_hold_s=60.0)),
        replace(POLICY, actions=Actions(promote=LocalCommand(("./promote.sh",)))),
    ],
)
def test_what_takes_effect_at_once_is_no_new_revision(after: Policy) -> None:
    assert digest(after) != digest(POLICY)
    run = replace(EXPERIMENT, policy=POLICY)
    assert revise(run, after, NOW_US) == replace(run, policy=after)


def test_canonical_is_json_with_sorted_keys() -> None:
    text = canonical(replace(POLICY, risk=Risk(wrong_promotion=0.02)))
    content = json.loads(text)
    assert content["risk"] == {"wrong_promotion": 0.02}
    assert list(content) == sorted(content)
    assert ": " not in text
