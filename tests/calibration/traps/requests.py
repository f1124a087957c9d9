"""Traps of counting requests where users are the units: heavy users' errors (9), the sample ratio (10)."""

from __future__ import annotations

import numpy as np

from rollout.stats import adjust, balance, events, means
from rollout.stats.moments import JointMoments, Moments
from tests.calibration.sums import joint_of_sums, single
from tests.calibration.trap import (
    BoolArray,
    Claim,
    FloatArray,
    IntArray,
    Trap,
    World,
    ever,
    ours,
    ours_at_400,
    promised,
    shown,
    wrong,
)

_LOOKS = 40
_ERROR_USERS = 10_000
_SHARE = 0.1
_SPLIT_USERS = 20_000
_SPLIT_ALPHA = 0.001
_ENOUGH_USERS = 100


def _requests(rng: np.random.Generator, shape: tuple[int, ...]) -> IntArray:
    """Return requests per user: a few users send very many."""
    return 1 + np.rint(rng.lognormal(1.5, 1.2, shape)).astype(np.int64)


def _per_look(values: IntArray | BoolArray, is_candidate: BoolArray) -> FloatArray:
    """Return running sums [arm, replicate, look] of unit values [replicate, user]."""
    arms = np.stack([np.where(is_candidate, 0, values), np.where(is_candidate, values, 0)])
    return np.cumsum(arms.reshape(2, len(values), _LOOKS, -1).sum(axis=-1), axis=-1)


def _errors(rng: np.random.Generator, replicates: int) -> list[Claim]:
    shape = (replicates, _ERROR_USERS)
    is_candidate = rng.random(shape) < _SHARE
    requests = _requests(rng, shape)
    errors = rng.binomial(requests, rng.beta(0.2, 9.8, shape))
    sent, failed, hit = (_per_look(part, is_candidate) for part in (requests, errors, errors > 0))
    careless = means.contrast(*(single(Moments.of_successes(sent[arm], failed[arm])) for arm in (0, 1)))
    planned = float(sent.sum(axis=0)[:, -1].mean() * _SHARE * (1 - _SHARE) / 2)
    enough = means.enough_units(failed[0], failed[1])
    relative = np.where(enough, means.log_e_greater(careless, planned_information=planned), 0.0)
    beta = events.log_e_greater(failed[1], failed[0], share=_SHARE, concentration=100)
    claims = [
        wrong("(a) on requests, 30 errors: harm", ever(relative)),
        wrong("(b) on requests, k = 100: harm", ever(beta), strong=True),
        wrong("(b) mixture on requests: harm", ever(_harm(failed))),
        *promised("(b) mixture on a user's first error: harm", _harm(hit)),
    ]
    return claims + _proof_claims(requests, errors, is_candidate)


def _harm(counts: FloatArray) -> FloatArray:
    return events.log_e_harm(counts[1][..., None], counts[0][..., None], share=[_SHARE])


def _proof_claims(requests: IntArray, errors: IntArray, is_candidate: BoolArray) -> list[Claim]:
    """Return the claims of the ratio metric: errors over requests per user, either side of no difference."""
    columns = (errors, requests)
    totals = np.stack([_per_look(column, is_candidate) for column in columns], axis=-1)
    rows = [np.stack([_per_look(one * other, is_candidate) for other in columns], axis=-1) for one in columns]
    users = _per_look(np.ones_like(requests), is_candidate)
    joint = joint_of_sums(users, totals, np.stack(rows, axis=-2))
    arms = [
        single(adjust.ratio(JointMoments(joint.n[arm], joint.mean[arm], joint.scatter[arm])))
        for arm in (0, 1)
    ]
    contrast = means.contrast(*arms)
    planned = _ERROR_USERS * _SHARE * (1 - _SHARE) / 2
    enough = users.min(axis=0) >= _ENOUGH_USERS
    safe, harm = (
        np.where(enough, test(contrast, planned_information=planned), 0.0)
        for test in (means.log_e_less, means.log_e_greater)
    )
    return [
        *promised("(f) through (a), errors per request: better", safe),
        shown("the same: worse", ever(harm)),
    ]


def _split(rng: np.random.Generator, replicates: int) -> list[Claim]:
    shape = (replicates, _SPLIT_USERS)
    is_candidate = rng.random(shape) < 0.5
    requests = _requests(rng, shape)
    by_request, by_user = (
        balance.log_e(np.moveaxis(_per_look(part, is_candidate), 0, -1)[..., None, :], [0.5, 0.5])
        for part in (requests, np.ones_like(requests))
    )
    bar = 1 / _SPLIT_ALPHA
    return [
        wrong("(e) on requests", ever(by_request, bar), alpha=_SPLIT_ALPHA, strong=True),
        ours("(e) on distinct users", ever(by_user, bar), alpha=_SPLIT_ALPHA),
        ours_at_400("(e) on distinct users", ever(by_user, 400)),
    ]


TRAPS = (
    Trap(
        9,
        "errors counted per request",
        (
            World(
                "heavy users",
                "10,000 users with log-normally many requests, each with an error rate.",
                _errors,
            ),
        ),
    ),
    Trap(
        10,
        "sample ratio of requests",
        (World("heavy users", "20,000 users split by a fair coin, requests as uneven as in 9.", _split),),
    ),
)
