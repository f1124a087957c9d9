"""Ask ssrm-test (Optimizely): the sequential sample-ratio test and its running p-value."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from ssrm_test import ssrm_test  # type: ignore[import-not-found,unused-ignore]  # lives in the peers' environment

from tests.golden.peers.exchange import Answer, Inputs, Solver


def _log_factor(looks: list[list[float]], shares: list[float], concentration: float) -> float:
    found = ssrm_test.sequential_posteriors(
        np.array(looks, dtype=np.int64), np.array(shares), dirichlet_concentration=concentration
    )
    return float(found[-1]["log_bayes_factor"])


def _sample_ratio(asked: Inputs) -> Answer:
    shares, k = asked.numbers("shares"), asked.number("concentration")
    return {"log_e": math.fsum(_log_factor([row], shares, k) for row in asked.table("counts"))}


def _label_two_sided(asked: Inputs) -> Answer:
    rho = asked.number("share")
    counts = [asked.number("candidate"), asked.number("comparison")]
    return {"log_e": _log_factor([counts], [rho, 1.0 - rho], asked.number("concentration"))}


def _always_valid_p_of_looks(asked: Inputs) -> Answer:
    found = ssrm_test.sequential_p_values(
        np.array(asked.table("looks"), dtype=np.int64),
        np.array(asked.numbers("shares")),
        dirichlet_concentration=asked.number("concentration"),
    )
    return {"p": float(found[-1])}


ANSWERS: Final[dict[str, Solver]] = {
    "sample ratio": _sample_ratio,
    "label two-sided": _label_two_sided,
    "always-valid p of looks": _always_valid_p_of_looks,
}
