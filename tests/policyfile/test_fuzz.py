"""Whatever is written: a policy or clear sentences, never a crash; `make fuzz` tries twenty times as many."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.policyfile.anatomy import keys
from rollout.policyfile.shapes import Spec
from tests.policyfile.files import changed
from tests.policyfile.fuzz import batch
from tests.policyfile.mutations import check

COUNT = 5_000
BATCH = 500


@pytest.mark.parametrize("first", range(0, COUNT, BATCH))
def test_mutated_policies(first: int) -> None:
    running, _ = batch(range(first, first + BATCH))
    assert 0 < running < BATCH


@pytest.mark.parametrize(
    ("old", "one"),
    [
        ("  steps:\n", "    - {name: errors, role: observe, source: proxy, type: error-rate}\n"),
        ("    - {setWeight: 50%", "    - {setWeight: 2%, hold: {for: 1h}}\n"),
        ("  metrics:\n", "  zzz: 1\n"),
        ("  metrics:\n", "  risk: {wrongRollback: 1%}\n"),
        ("converted: 12%", "converte: 12%, "),
        ("salt:", "salt: a, "),
    ],
)
def test_a_flood_of_entries_is_refused(old: str, one: str) -> None:
    assert not check(changed(old, one * 1_000 + old))


def test_a_policy_that_hangs_is_caught() -> None:
    def hang(_text: str) -> bool:
        while True:
            pass

    with pytest.raises(TimeoutError, match="it hangs") as raised:
        batch([7], hang, longest_s=0.05)
    assert raised.value.__notes__ == ["the policy of seed 7"]


@settings(max_examples=100)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(keys(Spec))), JSON), st.sampled_from(["spec", "metadata"]))
def test_any_value_under_any_key(values: dict[str, object], top: str) -> None:
    check(json.dumps({"apiVersion": "rollout/v1", "kind": "RolloutPolicy", top: values}))
