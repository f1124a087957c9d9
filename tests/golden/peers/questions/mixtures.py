"""The normal mixture itself: log e of a z score, critical values, and the tuning of r."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import Question

_FAMILY: Final = "a: normal mixture"
_SEQUENCE: Final = "confidence sequences"


def _two_sided(name: str, peer: str, source: str, z: float, r: float) -> Question:
    return Question(_FAMILY, name, "normal two-sided", peer, source, {"z": z, "r": r})


def _one_sided(name: str, peer: str, source: str, inputs: tuple[float, float, str]) -> Question:
    z, r, side = inputs
    return Question(_FAMILY, name, "normal one-sided", peer, source, {"z": z, "r": r, "side": side})


def _critical(name: str, peer: str, source: str, inputs: tuple[float, float, int]) -> Question:
    r, alpha, sides = inputs
    return Question(_SEQUENCE, name, "critical z", peer, source, {"r": r, "alpha": alpha, "sides": sides})


_CONFSEQ: Final = "boundaries.normal_log_mixture; Howard et al. 2021, Prop. 4 and 5"
_BOUND: Final = "boundaries.normal_mixture_bound; Howard et al. 2021"
_VILLE: Final = "normal_mixture; Robbins 1970, Howard et al. 2021"
_SKEW: Final = "skewnorm.logpdf − norm.logpdf: a half-normal prior on the mean of z"

QUESTIONS: Final[tuple[Question, ...]] = (
    _two_sided("two-sided, z = 2.5, r = 8.2", "ville", "MSPRT; Johari et al. 2022", 2.5, 8.212),
    _two_sided("two-sided, z = −6, r = 0.01", "ville", "MSPRT; Johari et al. 2022", -6.0, 0.01),
    _two_sided("two-sided, z = 0.3, r = 1000", "confseq", _CONFSEQ, 0.3, 1000.0),
    _two_sided("two-sided, z = 38, r = 8.2", "confseq", _CONFSEQ, 38.0, 8.212),
    _two_sided("two-sided, z = 3, r = 1e6", "scipy", "norm.logpdf of both laws", 3.0, 1e6),
    _one_sided("one-sided up, z = 2.5, r = 6.6", "confseq", _CONFSEQ, (2.5, 6.638, "greater")),
    _one_sided("one-sided up, z = −3, r = 6.6", "confseq", _CONFSEQ, (-3.0, 6.638, "greater")),
    _one_sided("one-sided down, z = −4, r = 0.5", "confseq", _CONFSEQ, (-4.0, 0.5, "less")),
    _one_sided("one-sided up, z = 12, r = 60", "scipy", _SKEW, (12.0, 60.0, "greater")),
    _one_sided("one-sided down, z = 2, r = 6.6", "scipy", _SKEW, (2.0, 6.638, "less")),
    _one_sided(
        "one-sided up, z = −60, r = 20 (the tail underflows)",
        "mpmath",
        "printed formula in 60 digits",
        (-60.0, 20.0, "greater"),
    ),
    _critical("critical z, two-sided, r = 8.2", "confseq", _BOUND, (8.212, 0.05, 2)),
    _critical("critical z, two-sided, α = 0.001", "ville", _VILLE, (2.0, 0.001, 2)),
    _critical("critical z, one-sided, r = 6.6", "confseq", _BOUND, (6.638, 0.05, 1)),
    _critical("critical z, one-sided, α = 1/400", "ville", _VILLE, (6.638, 0.0025, 1)),
    _critical("critical z, one-sided, early (r = 0.02)", "ville", _VILLE, (0.02, 0.05, 1)),
    _critical("critical z, one-sided, late (r = 5000)", "confseq", _BOUND, (5000.0, 0.05, 1)),
    Question(
        _SEQUENCE,
        "r* two-sided, α = 5 %",
        "best ratio",
        "mpmath",
        "Lambert W₋₁ in 60 digits",
        {"alpha": 0.05, "sides": 2},
    ),
    Question(
        _SEQUENCE,
        "r* two-sided, α = 5 %",
        "best ratio",
        "ville",
        "best_rho",
        {"alpha": 0.05, "sides": 2},
        1e-5,
        "the peer searches for the flat minimum numerically; ours is its closed form",
    ),
    Question(
        _SEQUENCE,
        "r* two-sided, α = 1 %",
        "best ratio",
        "confseq",
        "boundaries.normal_log_mixture at v_opt",
        {"alpha": 0.01, "sides": 2},
        0.03,
        "the peer approximates the closed form by 2 ln(1/α) + ln(1 + 2 ln(1/α)); any r is valid",
    ),
    Question(
        _SEQUENCE,
        "r* one-sided, α = 5 %",
        "best ratio",
        "ville",
        "best_rho(one_sided=True)",
        {"alpha": 0.05, "sides": 1},
        0.02,
        "the peer minimises the one-sided boundary; ours is the two-sided optimum at 2α; any r is valid",
    ),
)
