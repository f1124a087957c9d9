"""Our answers on ratios, CUPED and moments."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.stats import adjust, moments
from rollout.stats.moments import JointMoments, Moments
from tests.golden.peers.exchange import Answer, Inputs, Solver
from tests.golden.peers.ours.means import contrast, tuned_log_e
from tests.golden.peers.ours.shapes import joint, one, sample, side_by_side


def _ratio(asked: Inputs) -> Answer:
    found = adjust.ratio(joint(asked.table("rows")))
    return {"mean": one(found.mean), "variance": one(found.variance)}


def _ratio_arms(asked: Inputs) -> tuple[Moments, Moments]:
    control, candidate = (adjust.ratio(joint(arm)) for arm in asked.samples("arms"))
    return control, candidate


def _ratio_difference(asked: Inputs) -> Answer:
    control, candidate = _ratio_arms(asked)
    return {
        "difference": one(candidate.mean - control.mean),
        "z": one(contrast(control, candidate, asked).z),
    }


def _tuned_ratio(asked: Inputs) -> Answer:
    return {"log_e": tuned_log_e(*_ratio_arms(asked), asked)}


def _cuped_arms(asked: Inputs) -> tuple[Moments, Moments]:
    control, candidate = (joint(arm) for arm in asked.samples("arms"))
    return adjust.cuped(control, candidate)


def _cuped(asked: Inputs) -> Answer:
    control, candidate = _cuped_arms(asked)
    return {
        "control": one(control.mean),
        "candidate": one(candidate.mean),
        "difference": one(candidate.mean - control.mean),
        "z": one(contrast(control, candidate, asked).z),
    }


def _tuned_cuped(asked: Inputs) -> Answer:
    control, candidate = _cuped_arms(asked)
    return {
        "difference": one(candidate.mean - control.mean),
        "variance control": one(control.variance),
        "variance candidate": one(candidate.variance),
        "log_e": tuned_log_e(control, candidate, asked),
    }


def _error(control: Moments, candidate: Moments, asked: Inputs) -> Answer:
    found = contrast(control, candidate, asked)
    return {
        "difference": float(found.score / found.information),
        "error": float(np.sqrt(found.variance) / found.information),
    }


def _plain_error(asked: Inputs) -> Answer:
    control, candidate = (joint(arm).column(0) for arm in asked.samples("arms"))
    return _error(control, candidate, asked)


def _cuped_error(asked: Inputs) -> Answer:
    return _error(*_cuped_arms(asked), asked)


def _ratio_cuped(asked: Inputs) -> Answer:
    arms = (adjust.linearised(joint(arm), ((0, 1), (2, 3))) for arm in asked.samples("arms"))
    control, candidate = adjust.cuped(*arms)
    return {
        "difference": one(candidate.mean - control.mean),
        "z": one(contrast(control, candidate, asked).z),
    }


def _ancova(asked: Inputs) -> Answer:
    strata = [np.array(stratum) for stratum in asked.samples("rows")]
    number = np.repeat(np.arange(len(strata)), [len(part) for part in strata])
    rows = np.concatenate(strata)
    arms = [
        JointMoments.of_values(rows[rows[:, 2] == side, :2], number[rows[:, 2] == side], len(strata))
        for side in (0, 1)
    ]
    control, candidate = adjust.cuped(*arms)
    both = arms[0] + arms[1]
    moved = arms[0].mean[0, 0] - control.mean[0]
    answer = {"slope": float(moved / (arms[0].mean[0, 1] - both.mean[0, 1]))}
    return answer | {f"difference {k}": float(gap) for k, gap in enumerate(candidate.mean - control.mean)}


def _moments(asked: Inputs) -> Answer:
    parts = side_by_side([sample(part) for part in asked.table("parts")])
    found = moments.merged(parts)
    return {"mean": one(found.mean), "variance": one(found.variance)}


def _moments_of_sums(asked: Inputs) -> Answer:
    values = [int(value) for part in asked.table("parts") for value in part]
    squares = np.array(sum(value * value for value in values), dtype=np.object_)
    found = Moments.from_sums(len(values), sum(values), squares)
    return {"mean": one(found.mean), "variance": one(found.variance)}


SOLVERS: Final[dict[str, Solver]] = {
    "ancova": _ancova,
    "cuped": _cuped,
    "cuped, difference and error": _cuped_error,
    "difference and error": _plain_error,
    "moments": _moments,
    "moments of sums": _moments_of_sums,
    "ratio": _ratio,
    "ratio and cuped": _ratio_cuped,
    "ratio difference": _ratio_difference,
    "tuned cuped": _tuned_cuped,
    "tuned ratio": _tuned_ratio,
}
