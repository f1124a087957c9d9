"""Our answers on means: contrasts, lifts and intervals, at the tuning a peer was given."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from rollout.stats import means
from rollout.stats.means import Contrast
from rollout.stats.moments import Moments
from tests.golden.peers.exchange import Answer, Inputs, Solver
from tests.golden.peers.ours.shapes import ends, one, sample, side_by_side, summary


def _tests(found: Contrast, asked: Inputs) -> Answer:
    """Return z and the three log e-values of a contrast, at the question's r* and W*."""
    planned, best = asked.number("planned_information"), asked.number("best_ratio")
    return {
        "z": one(found.z),
        "two_sided": one(means.log_e_two_sided(found, planned_information=planned, best_ratio=best)),
        "greater": one(means.log_e_greater(found, planned_information=planned, best_ratio=best)),
        "less": one(means.log_e_less(found, planned_information=planned, best_ratio=best)),
    }


def contrast(control: Moments, candidate: Moments, asked: Inputs) -> Contrast:
    return means.contrast(
        control,
        candidate,
        null_lift=asked.number_or("null_lift", 0.0),
        null_difference=asked.number_or("null_difference", 0.0),
        variance_floor=False,
    )


def _mean_difference(asked: Inputs) -> Answer:
    control, candidate = summary(asked.numbers("control")), summary(asked.numbers("candidate"))
    return _tests(contrast(control, candidate, asked), asked)


def _strata(asked: Inputs) -> tuple[Moments, Moments]:
    cells = [[sample(arm) for arm in stratum] for stratum in asked.samples("strata")]
    return side_by_side([pair[0] for pair in cells]), side_by_side([pair[1] for pair in cells])


def _stratified(asked: Inputs) -> Answer:
    found = contrast(*_strata(asked), asked)
    return {"error": float(np.sqrt(found.variance) / found.information), **_tests(found, asked)}


def _stratified_effect(asked: Inputs) -> Answer:
    found = contrast(*_strata(asked), asked)
    return {"effect": float(found.score / found.information)}


def _lift(control: Moments, candidate: Moments, asked: Inputs) -> Answer:
    return ends(
        means.lift_interval(
            control,
            candidate,
            alpha=asked.number("alpha"),
            planned_information=asked.number("planned_information"),
            best_ratio=asked.number("best_ratio"),
        )
    )


def _stratified_lift(asked: Inputs) -> Answer:
    return _lift(*_strata(asked), asked)


def _stratified_interval(asked: Inputs) -> Answer:
    return ends(
        means.difference_interval(
            *_strata(asked),
            alpha=asked.number("alpha"),
            planned_information=asked.number("planned_information"),
            best_ratio=asked.number("best_ratio"),
        )
    )


def _lift_interval(asked: Inputs) -> Answer:
    return _lift(sample(asked.numbers("control")), sample(asked.numbers("candidate")), asked)


def tuning(asked: Inputs, n_a: float, n_b: float) -> tuple[float, float]:
    """Return (r*, W*) that equal a tuning of N* units: ρ²N = K·N/N* is r*·W/W* with r* = K, W* = N*·W/N."""
    doubled = -2.0 * math.log(asked.number("alpha"))
    return doubled + math.log1p(doubled), asked.number("tuning_units") * n_a * n_b / (n_a + n_b) ** 2


def tuned_log_e(control: Moments, candidate: Moments, asked: Inputs) -> float:
    best, planned = tuning(asked, one(control.n), one(candidate.n))
    found = contrast(control, candidate, asked)
    return one(means.log_e_two_sided(found, planned_information=planned, best_ratio=best))


def _tuned_difference(asked: Inputs) -> Answer:
    control, candidate = summary(asked.numbers("control")), summary(asked.numbers("candidate"))
    return {"log_e": tuned_log_e(control, candidate, asked)}


def _tuned_interval(asked: Inputs) -> Answer:
    control, candidate = summary(asked.numbers("control")), summary(asked.numbers("candidate"))
    return _tuned_ends(control, candidate, asked)


def _tuned_successes(asked: Inputs) -> Answer:
    (n_a, s_a), (n_b, s_b) = asked.numbers("control"), asked.numbers("candidate")
    return _tuned_ends(Moments.of_successes([n_a], [s_a]), Moments.of_successes([n_b], [s_b]), asked)


def _tuned_ends(control: Moments, candidate: Moments, asked: Inputs) -> Answer:
    best, planned = tuning(asked, one(control.n), one(candidate.n))
    interval = means.lift_interval if "null_lift" in asked.given else means.difference_interval
    return ends(
        interval(
            control, candidate, alpha=asked.number("alpha"), planned_information=planned, best_ratio=best
        )
    )


def _floored(asked: Inputs) -> Answer:
    found = means.contrast(sample(asked.numbers("control")), sample(asked.numbers("candidate")))
    return {"z": one(found.z)}


SOLVERS: Final[dict[str, Solver]] = {
    "floored": _floored,
    "lift interval": _lift_interval,
    "mean difference": _mean_difference,
    "stratified": _stratified,
    "stratified interval": _stratified_interval,
    "stratified effect": _stratified_effect,
    "stratified lift": _stratified_lift,
    "tuned difference": _tuned_difference,
    "tuned interval": _tuned_interval,
    "tuned interval of successes": _tuned_successes,
    "tuned lift interval": _tuned_interval,
}
