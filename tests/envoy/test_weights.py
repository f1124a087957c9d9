"""Weights: a runtime file means the splits that it was made of, and what goes off goes first."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.assignment import Placement, Split
from rollout.domain.policy import Hold, MirrorStep
from rollout.envoy.weights import keys_on, lowered, splits, weights
from tests.domain.examples import POLICY

POLICY_OF_THREE = replace(
    POLICY, candidates=POLICY.candidates * 3, mirror_steps=(MirrorStep(100, Hold()), MirrorStep(500, Hold()))
)
NAMES = st.sampled_from(["churn", "rank.v3.1", "a.1.promoted", "b.mirror", "2.off", "released"])
ON_TRIAL = st.builds(
    Split,
    steps_on=st.integers(0, len(POLICY.steps)),
    stopped=st.frozensets(st.integers(1, 3)),
    mirror_on=st.integers(0, 2),
)
PROMOTED = st.builds(
    Split,
    steps_on=st.integers(0, len(POLICY.steps)),
    is_promoted=st.just(value=True),
    winner=st.integers(1, 3),
    is_released=st.booleans(),
)
SPLITS = ON_TRIAL | PROMOTED
RUNS = st.dictionaries(st.tuples(NAMES, st.integers(1, 12)), SPLITS)


def placements(runs: dict[tuple[str, int], Split]) -> list[Placement]:
    return [
        Placement(replace(POLICY_OF_THREE, name=name), revision, split)
        for (name, revision), split in runs.items()
    ]


@given(RUNS)
def test_a_file_means_the_splits_that_it_was_made_of(runs: dict[tuple[str, int], Split]) -> None:
    found = splits(weights(placements(runs)))
    assert {run: found.get(run, Split()) for run in runs} == runs
    assert found.keys() <= runs.keys()


def test_a_key_that_is_nobodys_means_nothing() -> None:
    assert not splits(weights([]))


@given(RUNS, RUNS)
def test_what_takes_traffic_away_goes_first_and_nothing_gives_any(
    before: dict[tuple[str, int], Split], wanted: dict[tuple[str, int], Split]
) -> None:
    now, then = weights(placements(before)), weights(placements(wanted))
    first = keys_on(lowered(now, then))
    stops = {key for key in first if key.endswith(".off")}
    assert stops == {key for key in keys_on(then) if key.endswith(".off")}
    assert first - stops == {key for key in keys_on(now) & keys_on(then) if not key.endswith(".off")}
