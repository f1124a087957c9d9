"""What a change means: every key of a policy is told, and what becomes of it is what the run does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.change import Change, Difference, Effect, compare
from rollout.domain.experiment import Phase
from rollout.domain.metric import MetricType, Role
from rollout.domain.policy import (
    WHOLE_BP,
    Choice,
    Condition,
    Decide,
    Expect,
    Layer,
    Level,
    MirrorStep,
    Policy,
    Risk,
    Step,
    Version,
)
from rollout.domain.policy import Test as Asks
from rollout.domain.revise import Unrevisable, revise
from rollout.policyfile.reading import read
from tests.domain.batches import EVERYTHING, GPU, metric
from tests.domain.drawn import targeted
from tests.domain.examples import HOUR_S, POLICY, with_weights
from tests.domain.scenes import EXPERIMENT, NOW_US
from tests.policyfile.files import FULL

_WHOLE = read(FULL, "full.yaml").policy
assert _WHOLE is not None
WHOLE: Final[Policy] = _WHOLE
CONVERTED, ERRORS, P99 = POLICY.metrics

Way = tuple[Any, ...]


def ways(part: Any, way: Way = ()) -> Iterator[Way]:  # noqa: ANN401 (any part of a policy)
    """Yield the way to everything that a policy says."""
    match part:
        case None:
            return
        case tuple():
            yield way
            for index, one in enumerate(part):
                yield from ways(one, (*way, index))
        case Mapping():
            for name, one in part.items():
                yield from ways(one, (*way, name))
        case _ if is_dataclass(part):
            for field in fields(part):
                yield from ways(getattr(part, field.name), (*way, field.name))
        case _:
            yield way


def other(value: Any) -> Any:  # noqa: ANN401 (any part of a policy)
    """Return a value that is not this one."""
    match value:
        case Enum():
            return next(one for one in type(value) if one is not value)
        case bool():
            return not value
        case float():
            return 0.75 * value or 1.0
        case int():
            return value + 1
        case str():
            return f"{value}x"
        case _:
            return value[:-1]


def put(part: Any, way: Way) -> Any:  # noqa: ANN401 (any part of a policy)
    """Return the same, but for what is at the end of a way."""
    if not way:
        return other(part)
    here, rest = way[0], way[1:]
    match part:
        case tuple():
            return tuple(put(one, rest) if index == here else one for index, one in enumerate(part))
        case Mapping():
            return {name: put(one, rest) if name == here else one for name, one in part.items()}
        case _:
            return replace(part, **{here: put(getattr(part, here), rest)})


WAYS: Final = [way for way in ways(WHOLE) if put(WHOLE, way) != WHOLE]


def becomes(old: Policy, new: Policy) -> Effect:
    """Return what a run of the old policy does when it is given the new one."""
    run = replace(EXPERIMENT, policy=old, phase=Phase.RUNNING, step=0)
    found = revise(run, new, NOW_US)
    match found:
        case Unrevisable.OTHER_NAME:
            return Effect.OTHER_EXPERIMENT
        case Unrevisable():
            return Effect.REFUSED
        case _:
            return Effect.AT_ONCE if found.revision == run.revision else Effect.NEW_REVISION


def only(found: Difference) -> Change:
    (change,) = found.changes
    return change


def meaning(**changes: Any) -> str:  # noqa: ANN401 (fields of a policy)
    """Return what the only change to the example policy means."""
    return only(compare(POLICY, replace(POLICY, **changes))).meaning


def among(name: str, **changes: Any) -> tuple[Any, ...]:  # noqa: ANN401 (fields of a metric)
    """Return the example's metrics with one changed."""
    return tuple(replace(one, **changes) if one.name == name else one for one in POLICY.metrics)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: ".".join(map(str, way)))
def test_every_field_that_differs_is_told_and_ends_as_the_run_does(way: Way) -> None:
    new = put(WHOLE, way)
    for before, after in ((WHOLE, new), (new, WHOLE)):
        found = compare(before, after)
        assert found.changes
        assert found.effect is becomes(before, after)
        assert all(change.before != change.after for change in found.changes)
        is_change = found.effect is not Effect.OTHER_EXPERIMENT
        assert all(bool(change.meaning) == is_change for change in found.changes)
        assert bool(found.people) == (found.effect in {Effect.NEW_REVISION, Effect.OTHER_EXPERIMENT})


def test_the_ways_lead_to_every_field_of_a_policy() -> None:
    assert {way[0] for way in WAYS} == {field.name for field in fields(Policy)}


@given(targeted())
def test_what_means_the_same_does_not_differ(policy: Policy) -> None:
    assert compare(policy, replace(policy)) == Difference((), ())
    assert compare(policy, replace(policy)).effect is Effect.AT_ONCE


@given(targeted(), targeted(), st.sampled_from(["churn-v2", "other"]))
def test_nothing_that_differs_is_silent(old: Policy, drawn: Policy, name: str) -> None:
    new = replace(drawn, name=name)
    found = compare(old, new)
    assert bool(found.changes) == (old != new)
    assert found.effect is becomes(old, new)


def test_a_key_reads_as_the_file_has_it() -> None:
    assert only(compare(POLICY, replace(POLICY, risk=Risk(wrong_promotion=0.02)))) == Change(
        key="spec.risk.wrongPromotion",
        before="5%",
        after="2%",
        effect=Effect.NEW_REVISION,
        meaning="fewer wrong promotions: a proof takes about 1.3 times as many units",
    )
    silent = replace(POLICY, metrics=among("errors", margin=None))
    change = only(compare(POLICY, silent))
    assert (change.key, change.before, change.after) == ("spec.metrics[errors].margin", "10%", None)


def test_one_candidate_is_not_a_list() -> None:
    tried = replace(POLICY, candidates=(Version("2.0.1", POLICY.candidates[0].url),))
    assert only(compare(POLICY, tried)).key == "spec.candidate.version"
    two = replace(POLICY, candidates=(*POLICY.candidates, Version("3", "http://c:1")))
    change = only(compare(POLICY, two))
    assert (change.key, change.before) == ("spec.candidates[1]", None)
    assert change.after == "version 3, url http://c:1, http2 false"
    assert change.meaning == (
        "arms have other ranges, so users change arms; candidates share wrongPromotion, "
        "each proof's bar goes from 20 to 40"
    )


def test_an_entry_that_came_or_went_is_one_change() -> None:
    visits = metric("visits", Role.GUARDRAIL, MetricType.COUNT, window_s=24 * HOUR_S)
    change = only(compare(POLICY, replace(POLICY, metrics=(*POLICY.metrics, visits))))
    assert (change.key, change.before) == ("spec.metrics[visits]", None)
    assert change.after == "role guardrail, source outcomes, type count, direction increase, window 1d"
    assert change.meaning == (
        "needs no proof to promote, and its proven harm rolls back; each test's share of wrongRollback goes "
        "from 1/3 to 1/4, its bar from 300 to 400: harm is seen a little later"
    )
    gone = only(compare(POLICY, replace(POLICY, metrics=(CONVERTED, P99))))
    assert (gone.key, gone.after) == ("spec.metrics[errors]", None)
    assert gone.meaning.startswith("no longer asked: neither protects nor holds up; ")


def test_a_renamed_metric_is_the_same_question() -> None:
    expecting = replace(POLICY, expect=Expect(levels={"converted": Level(0.12)}))
    renamed = replace(
        expecting,
        metrics=(replace(CONVERTED, name="bought"), ERRORS, P99),
        expect=Expect(levels={"bought": Level(0.12)}),
    )
    change = only(compare(expecting, renamed))
    assert (change.key, change.before, change.after) == (
        "spec.metrics[converted].name",
        "converted",
        "bought",
    )
    assert change.meaning == (
        "the same question under another name; outcomes are told under the new one from now on"
    )
    assert change.effect is Effect.NEW_REVISION
    slow = replace(POLICY, metrics=(CONVERTED, ERRORS, replace(P99, name="slow")))
    assert only(compare(POLICY, slow)).meaning == "the same question under another name"


def test_a_metric_that_is_renamed_and_changed_is_another_one() -> None:
    other_one = replace(CONVERTED, name="bought", window_s=HOUR_S)
    found = compare(POLICY, replace(POLICY, metrics=(other_one, ERRORS, P99)))
    assert {change.key for change in found.changes} == {"spec.metrics[converted]", "spec.metrics[bought]"}


def test_twins_that_are_renamed_together_are_told_one_by_one() -> None:
    twins = [replace(CONVERTED, name=name) for name in ("one", "two", "three", "four")]
    old, new = (replace(POLICY, metrics=(*pair, P99)) for pair in (twins[:2], twins[2:]))
    assert [(change.before, change.after) for change in compare(old, new).changes] == [
        ("one", "three"),
        ("two", "four"),
    ]


def test_an_order_means_something_only_among_metrics() -> None:
    turned = replace(POLICY, metrics=(ERRORS, CONVERTED, P99))
    change = only(compare(POLICY, turned))
    assert (change.key, change.before) == ("spec.metrics", "converted, errors, p99")
    assert change.meaning == "which goal comes first: of several proven candidates, its best is promoted"
    levels = {"converted": Level(0.1), "errors": Level(0.01)}
    assert compare(
        replace(POLICY, expect=Expect(levels=levels)),
        replace(POLICY, expect=Expect(levels=dict(reversed(levels.items())))),
    ) == Difference((), ())


def test_what_no_evidence_rests_on_takes_effect_at_once_and_moves_nobody() -> None:
    found = compare(POLICY, replace(POLICY, owner="others", decide=Decide(mismatch=Choice.ROLL_BACK)))
    assert [change.key for change in found.changes] == ["metadata.owner", "spec.decide.mismatch"]
    assert (found.effect, found.people) == (Effect.AT_ONCE, ())


def test_a_new_revision_outweighs_what_takes_effect_at_once() -> None:
    found = compare(POLICY, replace(POLICY, owner="others", risk=Risk(wrong_promotion=0.02)))
    assert [change.effect for change in found.changes] == [Effect.AT_ONCE, Effect.NEW_REVISION]
    assert found.effect is Effect.NEW_REVISION


def test_another_salt_is_refused() -> None:
    found = compare(POLICY, replace(POLICY, salt="churn-2027q1", owner="others"))
    assert (found.effect, found.people) == (Effect.REFUSED, ())
    assert found.changes[-1].meaning == (
        "every unit would be drawn anew: keep churn-2026q4, or give the experiment another name"
    )


@pytest.mark.parametrize(
    ("served", "means"),
    [
        ("2.0.0", "fits once 2.0.0 has been promoted; until then 1.4.2 is served"),
        ("1.3.9", "nobody is served by 1.3.9: name 1.4.2, or a candidate that was promoted"),
    ],
)
def test_a_baseline_that_is_not_served_is_refused(served: str, means: str) -> None:
    found = compare(POLICY, replace(POLICY, baseline=Version(served, POLICY.baseline.url)))
    assert (found.effect, only(found).meaning) == (Effect.REFUSED, means)
    moved = replace(POLICY, baseline=Version("1.4.2", "http://elsewhere:1"))
    assert compare(POLICY, moved).effect is Effect.NEW_REVISION


@pytest.mark.parametrize(
    ("changes", "means"),
    [
        (
            {"metrics": among("converted", min_effect=0.025)},
            (
                "the test is tuned to this lift: to prove it takes about 4 times as many units; "
                "a larger one takes fewer"
            ),
        ),
        (
            {"metrics": among("errors", margin=0.2)},
            "to prove that it is not worse by more takes about 25% of the units; more harm is accepted",
        ),
        (
            {"metrics": among("converted", window_s=HOUR_S)},
            "units are counted sooner; what comes of them after 1h no longer counts",
        ),
        (
            {"metrics": among("converted", window_s=48 * HOUR_S)},
            "a unit counts only 2d after it began: the first proof comes later",
        ),
        (
            {"metrics": among("p99", quantile=0.95)},
            "5% of the requests may exceed the limit, not 1%: proof takes about 20% of the units",
        ),
        ({"metrics": among("p99", max_us=80_000)}, "more requests exceed the limit: it is harder to keep"),
        (
            {"metrics": among("errors", floor=0.0005)},
            "below it a candidate is safe, whatever the ratio: rarer errors count too",
        ),
        (
            {"metrics": among("errors", role=Role.OBSERVE)},
            (
                "another question is asked of this metric: what is known so far does not answer it; "
                "each test's share of wrongRollback goes from 1/3 to 1/2, its bar from 300 to 200: "
                "harm is seen a little sooner"
            ),
        ),
        (
            {"risk": Risk(wrong_rollback=0.05)},
            "harm is called sooner, and more often wrongly: each test's bar goes from 300 to 60",
        ),
        ({"holdout_bp": 200}, "2% of the units leave their arms for the baseline"),
        ({"layer": Layer("retention", 4_000)}, "drawn into another layer: other units take part"),
        (
            {"match": (Condition("x-tier", Asks.PRESENT),)},
            "other requests take part: a result speaks only of those that match",
        ),
        (
            {"resilience": replace(POLICY.resilience, falls_back=False)},
            "users meet the candidate's failures themselves; nothing is executed twice",
        ),
        (
            {"steps": (replace(POLICY.steps[0], weight_bp=500), *POLICY.steps[1:])},
            "each arm grows from 1% to 5% here: proof comes sooner, and harm meets more users",
        ),
    ],
)
def test_what_a_change_means(changes: dict[str, Any], means: str) -> None:
    found = compare(POLICY, replace(POLICY, **changes))
    assert found.changes[0].meaning == means


def test_a_threshold_is_outside_the_budget() -> None:
    assert meaning(metrics=(*POLICY.metrics, GPU)) == (
        "must be proven before a promotion; it is outside the error budget"
    )


@pytest.mark.parametrize(
    ("old", "new", "people"),
    [
        (
            with_weights(100, 5_000),
            with_weights(200, 5_000),
            (
                "the salt stays: at each step, a user of an arm that is as large as before stays in that arm",
                "at the last step, every eligible unit gets the version that it got before",
                "until then most get the baseline: the first step has 2% for each candidate again",
            ),
        ),
        (
            with_weights(5_000),
            with_weights(2_000),
            (
                "the salt stays: at each step, a user of an arm that is as large as before stays in that arm",
                "at the last step, 30% of the eligible units get another version than before",
                "until then most get the baseline: the first step has 20% for each candidate again",
            ),
        ),
        (
            with_weights(5_000),
            replace(with_weights(5_000), unit_header="x-account"),
            (
                "users are drawn anew: who had a candidate may get the baseline, and the other way round",
                "at the last step, 50% of the eligible units get another version than before",
                "until then most get the baseline: the first step has 50% for each candidate again",
            ),
        ),
        (
            with_weights(3_000),
            replace(with_weights(3_000), candidates=(*POLICY.candidates, Version("3", "http://c:1"))),
            (
                "the salt stays, but the arms share the users in another way: some users change arms",
                "at the last step, 50% of the eligible units get another version than before",
                "until then most get the baseline: the first step has 30% for each candidate again",
            ),
        ),
    ],
)
def test_who_changes_version(old: Policy, new: Policy, people: tuple[str, ...]) -> None:
    assert compare(old, new).people == people


def test_two_policies_are_no_change_of_each_other() -> None:
    found = compare(POLICY, replace(EVERYTHING, name="ranker", path="/rank", salt="rank"))
    assert {change.effect for change in found.changes} == {Effect.OTHER_EXPERIMENT}
    assert found.people == (
        "both can run at a time: a user may be in both, and neither draw tells anything of the other",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"salt": "other"}, "both have the route /churn: only one of them can run at a time"),
        (
            {"path": "/rank"},
            "both have the salt churn-2026q4: who gets one candidate would get the other, so it is refused",
        ),
        (
            {"path": "/rank", "layer": Layer("retention", 7_000)},
            "together they ask for 110% of their layer: only one of them can run at a time",
        ),
        (
            {"path": "/rank", "layer": Layer("retention", 6_000)},
            "both can run at a time: their layer keeps them apart, so no user is in both",
        ),
    ],
)
def test_what_two_policies_are_to_each_other(changes: dict[str, Any], sentence: str) -> None:
    first = replace(POLICY, layer=Layer("retention", 4_000) if "layer" in changes else None)
    assert compare(first, replace(first, name="second", **changes)).people == (sentence,)


def test_a_step_between_is_one_change() -> None:
    first, second, last = POLICY.steps
    between = Step(500, second.hold)
    change = only(compare(POLICY, replace(POLICY, steps=(first, between, second, last))))
    assert (change.key, change.before) == ("spec.steps[1]", None)
    assert (change.after, change.meaning) == ("setWeight 5%, hold.for 12h", "one step more")
    copied = only(compare(POLICY, replace(POLICY, mirror_steps=(MirrorStep(1_000, first.hold),))))
    assert (copied.key, copied.meaning) == ("spec.steps[0]", "one step more")


def test_a_step_that_went_is_named_by_its_old_place() -> None:
    first, second, last = POLICY.steps
    change = only(compare(POLICY, replace(POLICY, steps=(first, last))))
    assert (change.key, change.after, change.meaning) == ("spec.steps[1, removed]", None, "one step fewer")
    assert change.before == "setWeight 10%, hold.for 12h"
    found = compare(POLICY, replace(POLICY, steps=(replace(second, weight_bp=500), last)))
    assert [one.key for one in found.changes] == [
        "spec.steps[0].setWeight",
        "spec.steps[0].hold.for",
        "spec.steps[0].hold.minUnits",
        "spec.steps[1, removed]",
    ]


def test_a_step_that_changed_is_compared_with_itself_behind_a_new_one() -> None:
    first, second, last = POLICY.steps
    longer = replace(POLICY, steps=(Step(50, first.hold), first, replace(second, weight_bp=500), last))
    new, changed_one = compare(POLICY, longer).changes
    assert {new.key, changed_one.key} == {"spec.steps[0]", "spec.steps[2].setWeight"}
    smaller = next(one for one in (new, changed_one) if one.before is not None)
    assert (smaller.before, smaller.after) == ("10%", "5%")
    assert smaller.meaning == (
        "each arm shrinks from 10% to 5% here: who is no longer in it gets the baseline, proof comes later"
    )


@given(targeted(), targeted())
def test_two_policies_can_run_together_as_lint_says(one: Policy, other: Policy) -> None:
    second = replace(other, name="second", path="/second")
    layers = [policy.layer for policy in (one, second) if policy.layer is not None]
    is_shared = len(layers) == 2 and len({layer.name for layer in layers}) == 1
    overflows = is_shared and sum(layer.share_bp for layer in layers) > WHOLE_BP
    collides = overflows or (not is_shared and one.salt == second.salt)
    people = compare(one, second).people
    assert len(people) == 1
    assert people[0].startswith("both can run at a time") != collides
