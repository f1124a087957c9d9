"""What was not measured, or is no number, is never good news, whatever was proven before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.evidence import ArmEvidence, Evidence, PollEvidence, nothing_known
from rollout.domain.experiment import Experiment
from rollout.domain.judge import FALLBACK, Patience, judge
from rollout.domain.policy import Policy
from rollout.domain.verdict import Finding, latch_name
from tests.domain.batches import EVERYTHING, Draws, only
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US

PATIENCE = Patience()
PROVEN: Final = frozenset({Finding.SAFE, Finding.BETTER})
PARTS: Final = ("binary", "means", "errors", "limits", "latencies", "polls")
NAMES: Final = [*(one.name for one in EVERYTHING.metrics), FALLBACK]


def at_the_end(policy: Policy = EVERYTHING) -> Experiment:
    """Return a run for which everything was proven long ago, and is due."""
    names = [latch_name(arm, name) for arm in (1, 2) for name in NAMES]
    return replace(
        EXPERIMENT,
        policy=policy,
        step=len(policy.stages) - 1,
        started_us=NOW_US - 96 * HOUR_US,
        latches=dict.fromkeys(names, 50.0),
    )


def drawn(seed: int, **sizes: Any) -> Evidence:  # noqa: ANN401 (sizes of the draws)
    """Return one look, in which everything that is due is there."""
    seen: Evidence = only(Draws(np.random.default_rng(seed), 5, **sizes).look(EVERYTHING), 0, replicates=5)
    return replace(seen, first_enrolled_us=NOW_US - 60 * HOUR_US, lag_us=0)


def proven(seen: Evidence, arm: int = 1) -> set[str]:
    """Return what is proven of one candidate, observed or not."""
    judged = judge(at_the_end(), seen, NOW_US, PATIENCE)
    return {one.metric for one in (*judged.verdicts, *judged.observed) if one.is_proven and one.arm == arm}


def without(arm: ArmEvidence, parts: Iterable[str]) -> ArmEvidence:
    """Return what is known of a candidate, but for some kinds of evidence."""
    lost: dict[str, Any] = {part: None if part == "fallbacks" else {} for part in parts}
    return replace(arm, **lost)


def leaves(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:  # noqa: ANN401 (any part of a look)
    """Yield every number of a look, or array of numbers, with the way to it."""
    match part:
        case None | str():
            return
        case tuple():
            for index, one in enumerate(part):
                yield from leaves(one, (*path, index))
        case dict():
            for name, one in part.items():
                yield from leaves(one, (*path, name))
        case _ if is_dataclass(part):
            for field in fields(part):
                yield from leaves(getattr(part, field.name), (*path, field.name))
        case _:
            yield path, part


def put(part: Any, path: tuple[Any, ...], value: Any) -> Any:  # noqa: ANN401 (any part of a look)
    """Return the same look with another value at the end of a way."""
    if not path:
        return value
    here, rest = path[0], path[1:]
    match part:
        case tuple():
            return tuple(put(one, rest, value) if index == here else one for index, one in enumerate(part))
        case dict():
            return {name: put(one, rest, value) if name == here else one for name, one in part.items()}
        case _:
            return replace(part, **{here: put(getattr(part, here), rest, value)})


WHOLE: Final = drawn(3)
NUMBERS: Final = dict(leaves(WHOLE))
IN_ARMS: Final = [path for path in NUMBERS if path[0] == "arms"]


def metric_of(path: tuple[Any, ...]) -> str | None:
    """Return which metric a number speaks of; of copies nothing is ever proven."""
    if path[2] in PARTS:
        return str(path[3])
    return FALLBACK if path[2] == "fallbacks" else None


def test_the_whole_look_proves_something_of_every_kind() -> None:
    assert len(IN_ARMS) > 100
    assert {metric_of(path) for path in IN_ARMS} == {*NAMES, None}


@settings(max_examples=120)
@given(
    st.sampled_from(IN_ARMS),
    st.sampled_from([float("nan"), float("inf"), -float("inf")]),
    st.floats(0, 1, exclude_max=True),
)
def test_what_is_no_number_is_refused_by_name_or_proves_nothing(
    path: tuple[Any, ...], bad: float, place: float
) -> None:
    value = NUMBERS[path]
    spoiled = np.array(value, dtype=np.float64)
    spoiled.flat[int(place * spoiled.size)] = bad
    found, refused = set[str](), None
    try:
        found = proven(put(WHOLE, path, spoiled), path[1] + 1)
    except (ValueError, TypeError) as error:
        refused = str(error)
    if refused is not None and np.asarray(value).dtype.kind == "f":
        assert ": must " in refused
    # What a server last said is only read.
    assert metric_of(path) not in found or path[-1] == "latest"


def test_a_server_that_answers_with_no_number_has_no_estimate() -> None:
    for said in (float("nan"), float("inf"), None):
        seen = put(WHOLE, ("arms", 0, "polls", "gpu"), PollEvidence(np.array([1, 1, 1]), said))
        judged = judge(at_the_end(), seen, NOW_US, PATIENCE)
        found = next(one for one in judged.verdicts if one.metric == "gpu")
        assert (found.estimate, found.finding) == (None, Finding.SAFE)


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.fixed_dictionaries(
        {}, optional={"days": st.just(0), "blocks": st.just(0), "starts": st.just(0), "scale": st.just(0.0)}
    ),
    st.sets(st.sampled_from([*PARTS, "fallbacks"])),
)
def test_an_old_proof_needs_units_now(seed: int, sizes: dict[str, Any], lost: set[str]) -> None:
    """Nothing of anything: no unit, no day, no block; or the part itself is not there."""
    seen = drawn(seed, **{**sizes, "scale": 0.0})
    one, *others = (without(arm, lost) for arm in seen.arms)
    silent = replace(seen, arms=(replace(one, polls={}), *others))
    assert proven(silent) == set()


@pytest.mark.parametrize("part", [*PARTS, "fallbacks"])
def test_what_is_not_there_is_missing_and_nothing_latches(part: str) -> None:
    arm = WHOLE.arms[0]
    names = {FALLBACK} if part == "fallbacks" else set(getattr(arm, part))
    before = at_the_end()
    seen = replace(WHOLE, arms=(without(arm, [part]), WHOLE.arms[1]))
    judged = judge(before, seen, NOW_US, PATIENCE)
    acted_on = {one.metric: one.finding for one in judged.verdicts if one.arm == 1}
    observed = {one.metric: one.finding for one in judged.observed if one.arm == 1}
    assert {name for name in names if (acted_on | observed)[name] is not Finding.MISSING} == set()
    if names & set(acted_on):
        assert judged.latches == before.latches


def test_a_look_that_could_ask_nothing_knows_nothing() -> None:
    judged = judge(at_the_end(), nothing_known(EVERYTHING), NOW_US, PATIENCE)
    assert not judged.evidence_is_fresh
    assert {one.finding for one in (*judged.verdicts, *judged.observed)} <= {Finding.MISSING, Finding.UNCLEAR}


def test_a_silent_candidate_beside_one_that_is_proven_stays_missing() -> None:
    judged = judge(at_the_end(), replace(WHOLE, arms=(WHOLE.arms[0], ArmEvidence())), NOW_US, PATIENCE)
    assert {one.finding for one in judged.verdicts if one.arm == 2} == {Finding.MISSING}
    assert {one.finding for one in judged.verdicts if one.arm == 1} & PROVEN
