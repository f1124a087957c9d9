"""Ask numpy: exact sample quantiles."""

from __future__ import annotations

from typing import Final

import numpy as np

from tests.golden.peers.exchange import Answer, Inputs, Solver


def _quantile(asked: Inputs) -> Answer:
    durations = np.array(asked.numbers("durations"))
    return {"value": float(np.quantile(durations, asked.number("probability"), method="inverted_cdf"))}


ANSWERS: Final[dict[str, Solver]] = {"quantile": _quantile}
