"""Our answers on plans and latency histograms."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rollout.stats import first_passage, planning, quantiles
from tests.golden.peers.exchange import Answer, Inputs, Solver
from tests.golden.peers.ours.shapes import ends, one

_PASSAGE_STEPS: Final = 2000


def _durations(asked: Inputs) -> NDArray[np.int64]:
    return quantiles.histogram(np.array(asked.numbers("durations"), dtype=np.int64))


def _quantile(asked: Inputs) -> Answer:
    return {"value": one(quantiles.quantile(_durations(asked), asked.number("probability")).value_us)}


def _share_above(asked: Inputs) -> Answer:
    found = ends(quantiles.share_above(_durations(asked), asked.integer("limit")))
    if found["lower"] != found["upper"]:
        raise ValueError("limit: must be an edge of the histogram")
    return {"share": found["upper"]}


def _fixed_information(asked: Inputs) -> Answer:
    found = planning.fixed_information(
        asked.number("effect"),
        variance=asked.number("variance"),
        alpha=asked.number("alpha"),
        power=asked.number("power"),
    )
    return {"information": one(found)}


def _reachable_effect(asked: Inputs) -> Answer:
    found = planning.reachable_effect(
        asked.number("units"),
        variance=asked.number("variance"),
        alpha=asked.number("alpha"),
        power=asked.number("power"),
        factor=1.0,
    )
    return {"effect": one(found)}


def _units_of_means(asked: Inputs) -> Answer:
    units = planning.fixed_units_of_means(
        asked.number("effect"), alpha=asked.number("alpha"), power=asked.number("power")
    )
    return {"units": units}


def _whole_units_of_means(asked: Inputs) -> Answer:
    return {"units": float(math.ceil(_units_of_means(asked)["units"]))}


def _units_of_rates(asked: Inputs) -> Answer:
    units = planning.fixed_units_of_rates(
        asked.number("control_rate"),
        asked.number("candidate_rate"),
        alpha=asked.number("alpha"),
        power=asked.number("power"),
    )
    return {"units": units}


def _wald(asked: Inputs) -> Answer:
    found = planning.wald_samples(
        asked.number("true_rate"), asked.number("null_rate"), alpha=asked.number("alpha")
    )
    return {"samples": one(found)}


def _passage(asked: Inputs) -> Answer:
    step = asked.number("end") / _PASSAGE_STEPS
    boundary = np.full(_PASSAGE_STEPS, asked.number("level"))
    return {"passed": float(first_passage.distribution(boundary, asked.number("drift"), step)[-1])}


SOLVERS: Final[dict[str, Solver]] = {
    "first passage": _passage,
    "fixed information": _fixed_information,
    "quantile": _quantile,
    "reachable effect": _reachable_effect,
    "share above": _share_above,
    "units of means": _units_of_means,
    "units of rates": _units_of_rates,
    "wald": _wald,
    "whole units of means": _whole_units_of_means,
}
