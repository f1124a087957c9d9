"""What makes a test invalid holds it and says why; what is only untidy does not, and harm is never hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.decide import decide
from rollout.domain.decision import Reason
from rollout.domain.evidence import Evidence
from rollout.domain.judge import FALLBACK, Patience, judge
from rollout.domain.policy import Policy
from rollout.domain.quality import EXPOSURES, OUTCOMES, Feed, Gap, Loss, Quality, Reports, Told
from rollout.domain.verdict import Finding, Judgement
from tests.domain.batches import EVERYTHING
from tests.domain.scenes import EXPERIMENT, NOW_US, SECOND_US, evidence

LOG = "0123456789abcdef" * 2
PROVEN = {"converted": Finding.BETTER, "errors": Finding.SAFE, "p99": Finding.SAFE, FALLBACK: Finding.SAFE}
ALL, OWN = frozenset(PROVEN), frozenset({"converted"})
STOPPED = Reports(0, np.full(144, 100), np.where(np.arange(144) < 100, 10, 0))
STEADY = Reports(0, np.full(144, 100), np.full(144, 10))


def seen(quality: Quality, *, errors: float = 0.0005) -> Evidence:
    return replace(evidence(errors=errors), quality=quality)


def judged(quality: Quality, *, errors: float = 0.0005) -> Judgement:
    return judge(EXPERIMENT, seen(quality, errors=errors), NOW_US, Patience())


@pytest.mark.parametrize(
    ("quality", "held", "why"),
    [
        (Quality(losses=(Loss(EXPOSURES, "n1", 3, 9),)), ALL, "n1 lost records (exposures: 3)"),
        (
            Quality(losses=(Loss(OUTCOMES, "n1", 0, 9),)),
            OWN,
            "n1 lost records (outcomes: nobody knows how many)",
        ),
        (
            Quality(gaps=(Gap(EXPOSURES, "n1", LOG, 1_024, 4_096),)),
            ALL,
            "the bytes 1,024 to 4,096 of n1's exposures, log 01234567, were handed in and are in no file",
        ),
        (Quality(gaps=(Gap(OUTCOMES, "n1", LOG, 0, 9),)), OWN, "the bytes 0 to 9 of n1's outcomes"),
        (Quality(units=5_000, two_armed=150), ALL, "3.0 % of the units were seen in two arms"),
        (
            Quality(told={"converted": Told(9_000, conflicting=900)}),
            OWN,
            "10.0 % of its outcomes repeat a key",
        ),
        (
            Quality(told={"converted": Told(9_000, wrong_value=900)}),
            OWN,
            "10.0 % of its outcomes have a value",
        ),
        (Quality(units=5_000, ahead=150), ALL, "3.0 % of the units begin in the future: a clock is wrong"),
        (Quality(reports={"converted": STOPPED}), OWN, "reports fell: 0.0 % of the last 4,400 units told it"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_makes_a_test_invalid_holds_it_and_says_why(
    quality: Quality, held: frozenset[str], why: str
) -> None:
    found = judged(quality)
    assert {one.metric for one in found.verdicts if one.finding is Finding.MISSING} == held
    for one in found.verdicts:
        if one.metric in held:
            assert one.why is not None
            assert one.why.startswith(why)
        else:
            assert (one.why, one.finding) == (None, Finding.UNCLEAR), "measured, and not latched"
    assert not any(found.latches.values()), "nothing latches at such a look"
    assert decide(EXPERIMENT, found, None, NOW_US).reason is Reason.EVIDENCE_MISSING


@pytest.mark.parametrize(
    "quality",
    [
        Quality(),
        Quality(units=5_000, two_armed=50),
        Quality(units=1, two_armed=1, ahead=1),
        Quality(told={"converted": Told(9_000, repeated=9_000, conflicting=60, wrong_value=60)}),
        Quality(told={"another": Told(9_000, conflicting=9_000)}),
        Quality(reports={"converted": STEADY, "another": STOPPED}),
        Quality(unmeasured={"converted": "nobody answered"}),
    ],
)
def test_what_is_only_untidy_holds_nothing(quality: Quality) -> None:
    found = judged(quality)
    assert {one.metric: one.finding for one in found.verdicts} == PROVEN
    assert {one.why for one in found.verdicts} == {None}


def test_harm_in_the_proxys_own_records_is_seen_through_every_doubt() -> None:
    lost = Quality(losses=(Loss(EXPOSURES, "n1", 3, 9),), units=500, two_armed=400)
    found = judged(lost, errors=0.05)
    harmed = found.first(Finding.HARMED)
    assert harmed is not None
    assert harmed.metric == "errors"
    assert harmed.why is not None, "the doubt stands beside it"
    assert decide(EXPERIMENT, found, None, NOW_US).reason is Reason.METRIC_HARMED


def test_a_poll_rests_on_none_of_our_records() -> None:
    polled = replace(EXPERIMENT, policy=EVERYTHING)
    nothing = replace(evidence(), arms=evidence().arms * 2, enrolled=np.array([[9, 9, 9]]))
    lost = replace(nothing, quality=Quality(losses=(Loss(EXPOSURES, "n1", 3, 9),)))
    found = judge(polled, replace(lost, units_in_step=np.array([9, 9, 9])), NOW_US, Patience())
    whys = {one.metric: one.why for one in (*found.verdicts, *found.observed)}
    thresholds = {metric.name for metric in EVERYTHING.metrics if metric.query is not None}
    assert thresholds
    assert {name for name, why in whys.items() if why is None} == thresholds


def test_an_absent_metric_is_worded_by_its_source() -> None:
    quality = Quality(unmeasured={"converted": "nobody answered"})
    (arm,) = evidence().arms
    found = judge(EXPERIMENT, replace(seen(quality), arms=(replace(arm, binary={}),)), NOW_US, Patience())
    (one,) = [one for one in found.verdicts if one.metric == "converted"]
    assert (one.finding, one.why) == (Finding.MISSING, "nobody answered")


def feed(name: str, kind: str, behind_s: float | None) -> Feed:
    mark = None if behind_s is None else int(NOW_US - behind_s * SECOND_US)
    return Feed(name, kind, mark, NOW_US)


@pytest.mark.parametrize(
    ("feeds", "held_by"),
    [
        ((feed("n1", EXPOSURES, 2), feed("n2", OUTCOMES, 2)), None),
        (
            (feed("n1", EXPOSURES, 2), feed("n2", EXPOSURES, 90), feed("n2", OUTCOMES, 70)),
            "the exposures of n2 are filed up to 90 s ago",
        ),
        (
            (feed("n1", EXPOSURES, 90), feed("n2", OUTCOMES, None)),
            "n2 has not said how far its outcomes are filed",
        ),
        ((feed("n1", EXPOSURES, 2),), "no node has handed in outcomes yet"),
        ((), None),
    ],
)
def test_stale_evidence_names_the_source_that_holds_it(feeds: tuple[Feed, ...], held_by: str | None) -> None:
    stale = replace(seen(Quality(feeds=feeds)), watermark_us=NOW_US - 90 * SECOND_US)
    found = judge(EXPERIMENT, stale, NOW_US, Patience())
    assert (found.evidence_is_fresh, found.held_by) == (False, held_by)
    assert judged(Quality(feeds=feeds)).held_by is None, "fresh evidence is held by nobody"


def test_a_policy_without_outcomes_is_held_by_no_outcomes() -> None:
    proxy: Policy = replace(EXPERIMENT.policy, metrics=EXPERIMENT.policy.metrics[1:])
    stale = replace(
        seen(Quality(feeds=(feed("n1", EXPOSURES, 90), feed("n1", OUTCOMES, 900)))), watermark_us=None
    )
    found = judge(replace(EXPERIMENT, policy=proxy), stale, NOW_US, Patience())
    assert found.held_by == "the exposures of n1 are filed up to 90 s ago"
