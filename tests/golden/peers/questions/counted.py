"""Counts against known shares: the label test, its harm mixture, sample ratios, and p-values of looks."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import Question

_LABEL: Final = "b: label test"
_HARM: Final = "b: harm mixture"
_RATIO: Final = "e: sample ratio"
_P: Final = "always-valid p"
_AVERAGE: Final = "averaged evidence"
_SOURCES: Final = {
    "savvi": "Multinomial; Lindon & Malek 2022",
    "ssrm-test": "sequential_posteriors (log Bayes factor); Lindon & Malek 2022",
    "ville": "BernoulliTest; Howard et al. 2021",
    "confseq": "boundaries.beta_binomial_log_mixture; Howard et al. 2021, Prop. 7",
    "mpmath": "printed formula in 60 digits",
    "scipy": "betabinom − binom log pmf, beta tails",
}


def _label(name: str, peer: str, counts: tuple[int, int], share: float, k: float) -> Question:
    inputs: dict[str, object] = {
        "candidate": counts[0],
        "comparison": counts[1],
        "share": share,
        "concentration": k,
    }
    return Question(_LABEL, name, "label two-sided", peer, _SOURCES[peer], inputs)


def _one_sided(name: str, peer: str, side: str, counts: tuple[int, int], **more: float) -> Question:
    inputs: dict[str, object] = {
        "candidate": counts[0],
        "comparison": counts[1],
        "side": side,
        "share": 0.5,
        "concentration": 100.0,
    }
    return Question(_LABEL, name, "label one-sided", peer, _SOURCES[peer], inputs | more)


def _harm(
    name: str, splits: list[tuple[int, int, float]], ratios: list[float], log_risk: float = 0.0
) -> Question:
    inputs: dict[str, object] = {
        "candidate": [split[0] for split in splits],
        "comparison": [split[1] for split in splits],
        "share": [split[2] for split in splits],
        "risk_ratios": ratios,
        "null_log_risk": log_risk,
    }
    return Question(_HARM, name, "harm", "scipy", "binom.logpmf, logsumexp", inputs)


def _sample_ratio(
    name: str, peer: str, counts: list[list[int]], shares: list[float], k: float = 100.0
) -> Question:
    source = "dirichlet_multinomial − multinomial log pmf" if peer == "scipy" else _SOURCES[peer]
    inputs: dict[str, object] = {"counts": counts, "shares": shares, "concentration": k}
    return Question(_RATIO, name, "sample ratio", peer, source, inputs)


_GRID: Final = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0]

QUESTIONS: Final[tuple[Question, ...]] = (
    _label("half and half, k = 400", "savvi", (60, 40), 0.5, 400.0),
    _label("candidate at 5 %, k = 100", "savvi", (30, 170), 0.05, 100.0),
    _label("uniform prior Beta(1, 1)", "ville", (12, 3), 0.5, 2.0),
    _label("candidate at 1 %, k = 101", "ville", (9, 240), 0.01, 101.0),
    _label("no event on one side", "ville", (0, 25), 0.5, 100.0),
    _label("one event in all", "confseq", (1, 0), 0.05, 100.0),
    _label("candidate at 20 %, k = 625", "confseq", (250, 800), 0.2, 625.0),
    _label("40,000 events", "scipy", (20_400, 19_600), 0.5, 400.0),
    _label("default concentration of the peer, k = 10,000", "ssrm-test", (5_200, 4_800), 0.5, 10_000.0),
    _label("10¹² events, share off by 10⁻⁶", "mpmath", (500_001_000_000, 499_999_000_000), 0.5, 400.0),
    _label("10⁹ events, candidate at 1 %", "mpmath", (10_020_000, 989_980_000), 0.01, 101.0),
    _one_sided("more, one event in all", "confseq", "greater", (1, 0)),
    _one_sided("more, half and half", "confseq", "greater", (60, 40)),
    _one_sided("fewer, half and half", "confseq", "less", (40, 70)),
    _one_sided("more, though fewer were seen", "confseq", "greater", (40, 60)),
    _one_sided(
        "more than +10 % relative risk", "confseq", "greater", (300, 220), null_log_risk=0.0953101798043249
    ),
    _one_sided(
        "fewer than −5 %, candidate at 10 %",
        "scipy",
        "less",
        (60, 900),
        share=0.1,
        null_log_risk=-0.05129329438755058,
        concentration=277.0,
    ),
    _one_sided("more, candidate at 5 %", "scipy", "greater", (40, 400), share=0.05, concentration=210.0),
    _harm("eight risk ratios, half and half", [(30, 8, 0.5)], _GRID),
    _harm("eight risk ratios, candidate at 5 %", [(12, 20, 0.05)], _GRID),
    _harm("three splits of a ramp", [(3, 40, 0.01), (9, 50, 0.05), (30, 45, 0.25)], _GRID),
    _harm("margin +10 %, two splits", [(30, 70, 0.2), (40, 35, 0.5)], _GRID, 0.0953101798043249),
    _harm("one risk ratio: Wald's likelihood ratio", [(25, 10, 0.5)], [2.0]),
    _harm("no events at all", [(0, 0, 0.05)], _GRID),
    Question(
        _LABEL,
        "interval of the relative risk",
        "relative risk interval",
        "ville",
        "BernoulliCS, odds over the share's",
        {"candidate": 90, "comparison": 60, "share": 0.5, "concentration": 400.0, "alpha": 0.05},
    ),
    Question(
        _LABEL,
        "interval of the relative risk, candidate at 5 %",
        "relative risk interval",
        "ville",
        "BernoulliCS, odds over the share's",
        {"candidate": 40, "comparison": 400, "share": 0.05, "concentration": 500.0, "alpha": 0.01},
    ),
    _sample_ratio("two arms", "savvi", [[5_050, 4_950]], [0.5, 0.5]),
    _sample_ratio("three unequal arms", "savvi", [[520, 260, 220]], [0.5, 0.25, 0.25]),
    _sample_ratio("two strata", "savvi", [[510, 490], [60, 90]], [0.5, 0.5]),
    _sample_ratio(
        "four arms, three strata, k = 30",
        "scipy",
        [[40, 10, 30, 20], [0, 0, 0, 1], [9, 8, 7, 6]],
        [0.4, 0.1, 0.3, 0.2],
        30.0,
    ),
    _sample_ratio("two arms, a million units", "ssrm-test", [[501_000, 499_000]], [0.5, 0.5]),
    _sample_ratio("a hold-back of 1 %", "ssrm-test", [[9_880, 120]], [0.99, 0.01], 1000.0),
    _sample_ratio(
        "three arms, 10¹² units",
        "mpmath",
        [[500_000_400_000, 249_999_700_000, 249_999_900_000]],
        [0.5, 0.25, 0.25],
    ),
    Question(
        _P,
        "after a run of hits that is lost again",
        "always-valid p",
        "ville",
        "SequentialTest.p_values_",
        {"runs": [[1, 14], [0, 3], [1, 5], [0, 30]], "null": 0.5, "concentration": 2.0},
    ),
    Question(
        _P,
        "never below one",
        "always-valid p",
        "ville",
        "SequentialTest.p_values_",
        {"runs": [[1, 1], [0, 1]] * 20, "null": 0.5, "concentration": 100.0},
    ),
    Question(
        _P,
        "sample ratio over five looks",
        "always-valid p of looks",
        "ssrm-test",
        "sequential_p_values",
        {
            "looks": [[120, 80], [130, 90], [100, 100], [90, 120], [100, 100]],
            "shares": [0.5, 0.5],
            "concentration": 100.0,
        },
    ),
    Question(_P, "of log e = 4.2", "p of e", "ville", "evalues.e_to_p", {"log_e": 4.2}),
    Question(_P, "of log e = −1", "p of e", "ville", "evalues.e_to_p", {"log_e": -1.0}),
    Question(
        _AVERAGE, "of two", "average", "ville", "evalues.combine(method='mean')", {"log_e": [3.5, -2.0]}
    ),
    Question(
        _AVERAGE,
        "of five, far apart",
        "average",
        "ville",
        "evalues.combine(method='mean')",
        {"log_e": [40.0, 39.0, -60.0, 0.0, 12.5]},
    ),
)
