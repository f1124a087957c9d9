"""When a drifting Brownian motion first passes a curved boundary: what planning rests on."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.stats.arrays import FloatArray

_ROOT_TWO_PI: Final = float(np.sqrt(2.0 * np.pi))


def distribution(boundary: FloatArray, drift: float, step: float) -> FloatArray:
    """Return P(passed by t_i) at t_i = (i+1)·step, for boundary values at those times.

    Formula: g(t) = −2Ψ(t|0,0) + 2∫ g(s) Ψ(t|b(s),s) ds, Ψ(t|y,s) = ½ φ((b(t)−y)/√(t−s))/√(t−s) · (b'(t) −
    (b(t)−y)/(t−s)), for the motion and boundary less its drift, by the trapezoid rule. Source: Buonocore,
    Nobile & Ricciardi 1987. Assumes: a smooth boundary that begins above 0. Exact up to the step (error
    O(step²)).
    """
    times = step * np.arange(1, len(boundary) + 1)
    level = boundary - drift * times
    slope = np.gradient(level, step, edge_order=2)
    density = np.zeros_like(level)
    for i, (now, here) in enumerate(zip(times, level, strict=True)):
        ages, gaps = now - times[:i], here - level[:i]
        arrived = 2.0 * step * float(density[:i] @ _kernel(gaps, ages, slope[i]))
        density[i] = max(0.0, arrived - 2.0 * float(_kernel(here, now, slope[i])))
    # Trapezoids, with a density of zero at time zero.
    return np.asarray(step * (np.cumsum(density) - 0.5 * density))


def _kernel(gap: FloatArray, age: FloatArray, slope: float) -> FloatArray:
    return 0.5 * np.exp(-0.5 * gap * gap / age) / (_ROOT_TWO_PI * np.sqrt(age)) * (slope - gap / age)
