"""What each key of a policy means once it has changed: for users, for evidence, for the length of a proof."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from rollout.domain.alignment import aligned
from rollout.domain.metric import Metric, Source
from rollout.domain.policy import Policy, Step
from rollout.domain.question import questions, tests_of
from rollout.domain.written import duration, share, weight
from rollout.stats import planning

_SUBJECT: Final = re.compile(
    r"spec\.(?P<kind>metrics|steps|candidates)\[(?P<name>[^\]]*)\](?:\.(?P<tail>.*))?"
)
REMOVED: Final = "removed"
_AS_MANY: Final = 0.05
"""A proof that is this much longer or shorter is as long."""
HOW_CALLED: Final = "how this version is called; its answers may differ, so nothing seen so far speaks of it"
OTHER_PEOPLE: Final = "other requests take part: a result speaks only of those that match"
OTHER_QUESTION: Final = "another question is asked of this metric: what is known so far does not answer it"
TOLD: Final = "who is told of what; the run does not notice"
TUNING: Final = "tunes the plan and the tests: a wrong guess makes them slower, never wrong"

Meaning: TypeAlias = str | Callable[[Policy, Policy], str]
MetricMeaning: TypeAlias = str | Callable[[Metric, Metric], str]


def consequence(key: str, old: Policy, new: Policy) -> str:
    """Return what a changed key means, in one sentence without a point."""
    matched = _SUBJECT.fullmatch(key)
    if matched is not None:
        about = {"metrics": _of_metric, "steps": _of_step, "candidates": _of_candidate}[matched["kind"]]
        return about(matched["name"], matched["tail"], old, new)
    meaning = next((found for stem, found in MEANINGS.items() if _is_at(key, stem)), OTHER_QUESTION)
    return meaning if isinstance(meaning, str) else meaning(old, new)


def times(ratio: float) -> str:
    """Return how many units a proof takes, compared with before."""
    if abs(ratio - 1.0) < _AS_MANY:
        return "about as many units as before"
    return f"about {ratio:.2g} times as many units" if ratio > 1 else f"about {ratio:.0%} of the units"


def _is_at(key: str, stem: str) -> bool:
    return key == stem or key.startswith((stem + ".", stem + "["))


def _of_metric(name: str, tail: str | None, old: Policy, new: Policy) -> str:
    before, after = (next((one for one in policy.metrics if one.name == name), None) for policy in (old, new))
    if before is not None and tail == "name":
        is_told = before.source is Source.OUTCOMES
        told = "; outcomes are told under the new one from now on" if is_told else ""
        return f"the same question under another name{told}"
    if after is None:
        return f"no longer asked: neither protects nor holds up; {_budget(old, new)}"
    if before is None:
        return _new_question(name, old, new)
    if tail == "role":
        return f"{OTHER_QUESTION}; {_budget(old, new)}"
    meaning = METRIC_MEANINGS.get(tail or "", OTHER_QUESTION)
    return meaning if isinstance(meaning, str) else meaning(before, after)


def _new_question(name: str, old: Policy, new: Policy) -> str:
    question = next(one for one in questions(new) if one.name == name)
    if question.is_observed:
        return "reported, never acted on"
    proof = "must be proven before a promotion" if question.needs_proof else "needs no proof to promote"
    if not question.is_tested:
        return f"{proof}; it is outside the error budget"
    return f"{proof}, and its proven harm rolls back; {_budget(old, new)}"


def _budget(old: Policy, new: Policy) -> str:
    """Say how the tests of harm share wrongRollback, and how much each of them must show."""
    before, after = tests_of(old), tests_of(new)
    if not after or not before or before == after:
        return "the shares of wrongRollback stay"
    risk, later = new.risk.wrong_rollback, "later" if after > before else "sooner"
    bars = f"its bar from {before / risk:,.0f} to {after / risk:,.0f}"
    shares = f"each test's share of wrongRollback goes from 1/{before} to 1/{after}"
    return f"{shares}, {bars}: harm is seen a little {later}"


def _effect(before: Metric, after: Metric) -> str:
    if before.min_effect is None or after.min_effect is None:
        is_needed = after.min_effect is not None
        return "it must be proven better" if is_needed else "it need no longer be better, only not worse"
    ratio = (before.min_effect / after.min_effect) ** 2
    return f"the test is tuned to this lift: to prove it takes {times(ratio)}; a larger one takes fewer"


def _margin(before: Metric, after: Metric) -> str:
    if before.margin is None or after.margin is None:
        is_needed = after.margin is not None
        return "that it is not worse must be proven" if is_needed else "harm is whatever is worse at all"
    ratio = (before.margin / after.margin) ** 2
    harm = "harm is called earlier" if after.margin < before.margin else "more harm is accepted"
    return f"to prove that it is not worse by more takes {times(ratio)}; {harm}"


def _window(before: Metric, after: Metric) -> str:
    if after.window_s < before.window_s:
        return (
            f"units are counted sooner; what comes of them after {duration(after.window_s)} no longer counts"
        )
    return f"a unit counts only {duration(after.window_s)} after it began: the first proof comes later"


def _quantile(before: Metric, after: Metric) -> str:
    may_exceed, could = 1 - (after.quantile or 0.0), 1 - (before.quantile or 0.0)
    proof = times(could / may_exceed) if may_exceed > 0 else "more units"
    return (
        f"{share(may_exceed)} of the requests may exceed the limit, not {share(could)}: proof takes {proof}"
    )


def _limit(before: Metric, after: Metric) -> str:
    if before.max_us is None or after.max_us is None:
        return "another limit; what is polled is outside the error budget, and proves nothing"
    if after.max_us < before.max_us:
        return "more requests exceed the limit: it is harder to keep"
    return "fewer requests exceed the limit: it is easier to keep"


def _floor(before: Metric, after: Metric) -> str:
    lower = (after.floor or 0.0) < (before.floor or 0.0)
    meant = "rarer errors count too" if lower else "rarer errors are nobody's concern"
    return f"below it a candidate is safe, whatever the ratio: {meant}"


METRIC_MEANINGS: Final[Mapping[str, MetricMeaning]] = {
    "minEffect": _effect,
    "margin": _margin,
    "floor": _floor,
    "window": _window,
    "quantile": _quantile,
    "max": _limit,
    "direction": "what counted as better counts as worse",
    "cap": "larger values of one unit count as this: another mean is compared",
    "covariate.preWindow": "how much of a unit's own past is used: the test is faster, the question the same",
    "interval": "how often it is asked; it is outside the error budget",
    "failureLimit": "how many answers in a row decide; it is outside the error budget",
}


def _of_step(name: str, tail: str | None, old: Policy, new: Policy) -> str:
    if tail is None:
        return "one step fewer" if name.endswith(REMOVED) else "one step more"
    places = {after: before for before, after in aligned(old, new).items()}
    before, after = old.stages[places[int(name)]], new.stages[int(name)]
    if tail == "setWeight" and isinstance(before, Step) and isinstance(after, Step):
        sizes = f"{weight(before.weight_bp)} to {weight(after.weight_bp)}"
        if after.weight_bp > before.weight_bp:
            return f"each arm grows from {sizes} here: proof comes sooner, and harm meets more users"
        return (
            f"each arm shrinks from {sizes} here: who is no longer in it gets the baseline, proof comes later"
        )
    return STEP_MEANINGS.get(tail, "another kind of step")


STEP_MEANINGS: Final[Mapping[str, str]] = {
    "mirror": "how many requests are copied, and so executed twice; copies prove nothing",
    "hold.for": "how long the step lasts at least; it proves nothing by itself",
    "hold.minUnits": "how many units each arm must get before the next step",
    "hold.until": "whether the step waits for the verdict",
    "hold.atMost": "how long a verdict is waited for, before decide.inconclusive says what happens",
    "warmup": "how much of the step's beginning is left out of errors and latencies, for all arms alike",
}


def _of_candidate(_name: str, tail: str | None, old: Policy, new: Policy) -> str:
    if tail is None:
        bars = [len(policy.candidates) / new.risk.wrong_promotion for policy in (old, new)]
        shared = (
            f"candidates share wrongPromotion, each proof's bar goes from {bars[0]:,.0f} to {bars[1]:,.0f}"
        )
        return f"arms have other ranges, so users change arms; {shared}"
    if tail == "version":
        return "another model is tried: nothing seen so far speaks of it"
    return "the same version answers elsewhere" if tail == "url" else HOW_CALLED


def _promotion(old: Policy, new: Policy) -> str:
    """Say how much longer a proof takes at another risk, by the planned test's information."""
    risks = (old.risk.wrong_promotion, new.risk.wrong_promotion)
    needed = [
        float(planning.sequential_information(1.0, variance=1.0, alpha=risk / len(new.candidates)))
        for risk in risks
    ]
    promise = "fewer wrong promotions" if risks[1] < risks[0] else "more wrong promotions"
    return f"{promise}: a proof takes {times(needed[1] / needed[0])}"


def _rollback(old: Policy, new: Policy) -> str:
    before, after = old.risk.wrong_rollback, new.risk.wrong_rollback
    when = "later, and more rarely wrongly" if after < before else "sooner, and more often wrongly"
    tests = tests_of(new)
    return f"harm is called {when}: each test's bar goes from {tests / before:,.0f} to {tests / after:,.0f}"


def _fallback(_old: Policy, new: Policy) -> str:
    if new.resilience.falls_back:
        return "the baseline answers what the candidate fails: users see less of it, such requests run twice"
    return "users meet the candidate's failures themselves; nothing is executed twice"


def _holdout(old: Policy, new: Policy) -> str:
    grows = new.holdout_bp > old.holdout_bp
    moved = weight(abs(new.holdout_bp - old.holdout_bp))
    return f"{moved} of the units {'leave their arms for the baseline' if grows else 'may join an arm'}"


def _layer_share(old: Policy, new: Policy) -> str:
    if old.layer is None or new.layer is None:
        return "whether a part of the units is left to other policies"
    grows = new.layer.share_bp > old.layer.share_bp
    return (
        "more units take part, if the layer has room" if grows else "fewer units take part: proof comes later"
    )


MEANINGS: Final[Mapping[str, Meaning]] = {
    "metadata.owner": "who answers for it",
    "spec.route": "other requests take part; those of the old route are served by the settled version",
    "spec.baseline.url": "the same version answers elsewhere",
    "spec.baseline": HOW_CALLED,
    "spec.assignment.unit": "another header names the units: they are other units, drawn anew",
    "spec.assignment.layer.name": "drawn into another layer: other units take part",
    "spec.assignment.layer.share": _layer_share,
    "spec.assignment.holdout": _holdout,
    "spec.assignment.match": OTHER_PEOPLE,
    "spec.resilience.fallback": _fallback,
    "spec.resilience.maxFallback": "a promotion needs proof that no more of its requests fall back",
    "spec.resilience": "when an answer has failed, for all arms alike; errors before do not compare",
    "spec.expect": TUNING,
    "spec.metrics": "which goal comes first: of several proven candidates, its best is promoted",
    "spec.risk.wrongPromotion": _promotion,
    "spec.risk.wrongRollback": _rollback,
    "spec.steps.approve": "who must approve a proven promotion",
    "spec.decide": "what happens when the evidence does not decide; the evidence stays",
    "spec.actions": "what is run beside the traffic at the end, from the next one on",
    "spec.watch": "how long limits stay armed after a promotion, and hold-back and holdout stay behind",
    "spec.windows": "when traffic may move up; a rollback waits for nothing",
    "spec.notify": TOLD,
}
