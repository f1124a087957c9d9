"""Adjusted metrics: ratios, CUPED and caps, each a linear combination of columns the moments hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays
from rollout.stats.arrays import FloatArray
from rollout.stats.moments import JointMoments, Moments


def ratio(joint: JointMoments, *, numerator: int = 0, denominator: int = 1) -> Moments:
    """Return the moments of a ratio of sums, linearised: its mean is Σy/Σx, its variance the delta method's.

    Formula: R = Σy/Σx; s² = (s_y² − 2R s_xy + R² s_x²)/x̄². Source: Deng, Knoblich & Lu 2018.
    Assumes: x̄ far from 0 against its error; arms without any denominator hold no units. Asymptotic.
    """
    return linearised(joint, ((numerator, denominator),)).column(0)


def linearised(joint: JointMoments, columns: tuple[tuple[int, int] | int, ...]) -> JointMoments:
    """Return chosen columns: a pair (numerator, denominator) becomes a ratio, a single one is kept.

    Formula: a ratio column is R + (y − R x)/x̄, so its mean is R. Source: Deng, Knoblich & Lu 2018.
    Assumes: as `ratio`. Asymptotic.
    """
    weights = np.zeros((*joint.n.shape, len(columns), joint.mean.shape[-1]))
    mean = np.zeros((*joint.n.shape, len(columns)))
    defined = joint.n > 0
    for row, column in enumerate(columns):
        if isinstance(column, int):
            mean[..., row], weights[..., row, column] = joint.mean[..., column], 1.0
            continue
        numerator, denominator = column
        x = joint.mean[..., denominator]
        defined = defined & (x != 0)
        mean[..., row] = arrays.divided(joint.mean[..., numerator], x)
        weights[..., row, numerator] += arrays.divided(np.ones_like(x), x)
        weights[..., row, denominator] -= arrays.divided(mean[..., row], x)
    scatter = np.einsum("...ri,...ij,...sj->...rs", weights, joint.scatter, weights)
    n = np.where(defined, joint.n, 0.0)
    kept = (n > 0)[..., np.newaxis]
    return JointMoments(n, np.where(kept, mean, 0.0), np.where(kept[..., np.newaxis], scatter, 0.0))


def cuped(control: JointMoments, candidate: JointMoments) -> tuple[Moments, Moments]:
    """Return both arms' outcomes (column 0) adjusted by a covariate measured before exposure (column 1).

    Formula: ȳ − θ(c̄ − c̄_k), s_y² + θ² s_c² − 2θ s_yc; c̄_k pooled over the arms within stratum k (the last
    axis), θ = Σ S_yc / Σ S_cc pooled over arms and strata. Source: Deng, Xu, Kohavi & Walker 2013. Assumes:
    the arm cannot change the covariate. Asymptotic.
    """
    if control.n.ndim == 0 or control.n.shape != candidate.n.shape:
        raise ValueError(
            f"candidate: both arms need the same batch axes, the last of them strata "
            f"(got {control.n.shape} and {candidate.n.shape})"
        )
    products = (control.scatter + candidate.scatter).sum(axis=-3, keepdims=True)
    theta = arrays.divided(products[..., 0, 1], products[..., 1, 1])
    totals = control.n * control.mean[..., 1] + candidate.n * candidate.mean[..., 1]
    pooled = arrays.divided(totals, control.n + candidate.n)
    return _adjusted(control, theta, pooled), _adjusted(candidate, theta, pooled)


def winsorised(values: ArrayLike, *, cap: ArrayLike) -> FloatArray:
    """Return unit values with everything above the cap set to it; the cap is frozen before the first unit.

    Formula: min(y, cap). Source: Tukey 1962. Assumes: the cap does not depend on the outcome. Exact.
    """
    return np.minimum(arrays.finite("values", values), arrays.finite("cap", cap))


def _adjusted(arm: JointMoments, theta: FloatArray, pooled: FloatArray) -> Moments:
    mean = arm.mean[..., 0] - theta * (arm.mean[..., 1] - pooled)
    ss = arm.scatter[..., 0, 0] - 2.0 * theta * arm.scatter[..., 0, 1] + theta**2 * arm.scatter[..., 1, 1]
    present = arm.n > 0
    return Moments.of(arm.n, np.where(present, mean, 0.0), np.where(present, np.maximum(ss, 0.0), 0.0))
