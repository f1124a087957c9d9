"""Ask savvi (Lindon & Malek): Dirichlet mixtures of multinomial counts."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from savvi.multinomial import Multinomial  # type: ignore[import-not-found,unused-ignore]  # lives in the peers' environment

from tests.golden.peers.exchange import Answer, Inputs, Solver

_ALPHA: Final = 0.05


def _log_odds(counts: list[float], shares: list[float], concentration: float) -> float:
    test = Multinomial(_ALPHA, np.array(shares), k=concentration)
    test.update(np.array(counts, dtype=np.int64))
    return math.log(float(test.odds))


def _sample_ratio(asked: Inputs) -> Answer:
    shares, k = asked.numbers("shares"), asked.number("concentration")
    return {"log_e": math.fsum(_log_odds(row, shares, k) for row in asked.table("counts"))}


def _label_two_sided(asked: Inputs) -> Answer:
    rho = asked.number("share")
    counts = [asked.number("candidate"), asked.number("comparison")]
    return {"log_e": _log_odds(counts, [rho, 1.0 - rho], asked.number("concentration"))}


ANSWERS: Final[dict[str, Solver]] = {
    "sample ratio": _sample_ratio,
    "label two-sided": _label_two_sided,
}
