"""Ask spotify-confidence: z tests of arms, plain and with a regression adjustment."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # lives in the peers' environment
import spotify_confidence as sc  # type: ignore[import-not-found,unused-ignore]  # the same
from scipy import stats

from tests.golden.peers.exchange import Answer, Inputs, Solver

_NAMES: Final = {
    "numerator_column": "total",
    "numerator_sum_squares_column": "squares",
    "denominator_column": "units",
    "categorical_group_columns": "arm",
}
_WIDTH: Final = 2.0 * float(stats.norm.ppf(0.975))


def _frame(arms: list[list[list[float]]]) -> pd.DataFrame:
    values = [np.array(arm) for arm in arms]
    return pd.DataFrame(
        {
            "arm": ["control", "candidate"],
            "units": [float(len(part)) for part in values],
            "total": [part[:, 0].sum() for part in values],
            "squares": [(part[:, 0] ** 2).sum() for part in values],
            "covariate": [part[:, -1].sum() for part in values],
            "covariate_squares": [(part[:, -1] ** 2).sum() for part in values],
            "cross": [(part[:, 0] * part[:, -1]).sum() for part in values],
        }
    )


def _difference(test: sc.ZTest) -> Answer:
    found = test.difference("control", "candidate").iloc[0]
    return {
        "difference": float(found["difference"]),
        "error": float(found["ci_upper"] - found["ci_lower"]) / _WIDTH,
    }


def _plain(asked: Inputs) -> Answer:
    return _difference(sc.ZTest(_frame(asked.samples("arms")), **_NAMES))


def _cuped(asked: Inputs) -> Answer:
    features = {
        "feature_column": "covariate",
        "feature_sum_squares_column": "covariate_squares",
        "feature_cross_sum_column": "cross",
    }
    return _difference(sc.ZTestLinreg(_frame(asked.samples("arms")), **_NAMES, **features))


ANSWERS: Final[dict[str, Solver]] = {"difference and error": _plain, "cuped, difference and error": _cuped}
