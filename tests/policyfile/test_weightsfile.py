"""A file of weights says exactly what each policy's candidates get, or what is wrong and where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.assignment import Split
from rollout.domain.policy import Policy, Version
from rollout.policyfile.finding import worded
from rollout.policyfile.weightsfile import read_weights
from tests.domain.examples import POLICY

FIRST = replace(POLICY, name="first")
MANY = replace(POLICY, name="many", candidates=(*POLICY.candidates, Version("3", "http://127.0.0.1:3")))
POLICIES: list[Policy] = [FIRST, MANY]
LAST = len(FIRST.steps)


def complaints(text: str) -> list[str]:
    weights, findings = read_weights(text, "weights.yaml", POLICIES)
    assert findings or weights is not None
    return [worded(one) for one in findings]


@pytest.mark.parametrize(
    ("written", "split"),
    [
        ("off", Split()),
        ("step 0", Split()),
        ("step 1", Split(1)),
        (f"step {LAST}", Split(LAST)),
        (f"{FIRST.steps[0].weight_bp / 100:g}%", Split(1)),
        (f"{FIRST.steps[-1].weight_bp / 100:g}%", Split(LAST)),
        (f"{FIRST.steps[0].weight_bp / 100:g}.0%", Split(1)),
        ("promoted", Split(LAST, is_promoted=True, winner=1)),
        ("promoted candidate 1", Split(LAST, is_promoted=True, winner=1)),
    ],
)
def test_every_form(written: str, split: Split) -> None:
    assert read_weights(f"# who gets what\nfirst: {written}\n", "w", POLICIES) == ({"first": split}, ())


def test_one_of_several_is_promoted_by_its_number() -> None:
    assert read_weights("many: promoted candidate 2", "w", POLICIES)[0]["many"].winner == 2
    assert complaints("many: promoted") == [
        "weights.yaml:1: many: the policy has 2 candidates (got promoted); write, say, promoted candidate 2"
    ]


@pytest.mark.parametrize("text", ["", "\n", "  \n# nothing\n"])
def test_an_empty_file_gives_nobody_anything(text: str) -> None:
    weights, findings = read_weights(text, "w", POLICIES)
    assert not weights
    assert not [one for one in findings if "nothing" not in text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frist: off", "weights.yaml:1: frist: no policy has this name; did you mean 'first'?"),
        ("first: off\nfirst: promoted", "weights.yaml:2: first"),
        ("first: 7%", "no step of the policy; its weights are"),
        ("first: step 9", f"the policy has {LAST} steps"),
        ("first: promoted candidate 2", "the policy has 1 candidate"),
        ("first: of", "not a weight"),
        ("first: 0.1", "not a weight"),
        ("first: [off]", "not a weight"),
        ("first:", "not a weight"),
        ("- first", "not a list of policies"),
        ("first: {", "not YAML"),
        ("first: -5%", "no step of the policy"),
        ("first: 99999999999999999%", "not a weight"),
    ],
)
def test_every_mistake_is_said_with_its_line(text: str, said: str) -> None:
    found = complaints(text)
    assert len(found) == 1
    assert said in found[0]


@given(st.text(alphabet="first: %0123456789promted candiue\n-[]{}#'\"&*", max_size=60))
def test_no_text_raises(text: str) -> None:
    weights, findings = read_weights(text, "w", POLICIES)
    assert set(weights) <= {"first", "many"}
    assert all(worded(one) for one in findings)
