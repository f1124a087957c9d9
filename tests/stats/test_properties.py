"""What holds for every family: batches equal single calls, nothing changes nothing, all is finite."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rollout.stats import balance, events, means, slo
from rollout.stats.arrays import FloatArray
from rollout.stats.moments import JointMoments, Moments

TESTS: dict[str, Callable[[means.Contrast], FloatArray]] = {
    "two-sided": means.log_e_two_sided,
    "greater": means.log_e_greater,
    "less": means.log_e_less,
}
counts = st.one_of(st.integers(0, 50), st.integers(0, 10**12))


@st.composite
def strata(draw: st.DrawFn, size: int = 3) -> Moments:
    """Moments of an arm in several strata, from nothing to a million million units."""
    n = np.array(draw(st.lists(counts, min_size=size, max_size=size)), dtype=float)
    mean = draw(hnp.arrays(np.float64, size, elements=st.floats(-1e9, 1e9)))
    deviation = draw(hnp.arrays(np.float64, size, elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e9))))
    return Moments.of(n, np.where(n > 0, mean, 0), np.where(n > 1, n * deviation**2, 0))


@given(strata(), strata(), st.floats(-0.9, 3), st.sampled_from(sorted(TESTS)))
def test_means_are_finite_on_all_finite_input(a: Moments, b: Moments, lift: float, side: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(TESTS[side](means.contrast(a, b, null_lift=lift)))
        for interval in (means.lift_interval(a, b), means.difference_interval(a, b)):
            assert np.isfinite([interval.lower, interval.upper]).all()


@given(counts, counts, st.floats(1e-6, 1 - 1e-6), st.floats(-3, 3), st.floats(1e-3, 1e9))
def test_labels_are_finite_on_all_finite_input(b: int, a: int, share: float, risk: float, k: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for test in (events.log_e_two_sided, events.log_e_greater, events.log_e_less):
            assert np.isfinite(test(b, a, share=share, null_log_risk=risk, concentration=k))
        assert np.isfinite(events.log_e_harm([b], [a], share=[share], null_log_risk=risk))


@given(counts, st.floats(0, 1), st.floats(1e-9, 1 - 1e-9), st.floats(10, 1e9))
def test_limits_are_finite_on_all_finite_input(n: int, part: float, limit: float, planned: float) -> None:
    s = min(part * n, float(n))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(slo.log_e_violation(s, n, limit=limit, planned_units=planned))
        assert np.isfinite(slo.log_e_compliance(s, n, limit=limit, planned_units=planned))


@given(hnp.arrays(np.int64, (3, 2), elements=counts), st.floats(0.001, 0.999))
def test_balance_is_finite_on_all_finite_input(units: np.ndarray, share: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(balance.log_e(units, [share, 1 - share]))


@given(strata(), strata())
def test_swapping_the_arms_flips_the_signs(a: Moments, b: Moments) -> None:
    forward, backward = means.contrast(a, b), means.contrast(b, a)
    assert forward.score == pytest.approx(-float(backward.score))
    assert means.log_e_greater(forward) == pytest.approx(
        float(means.log_e_less(backward)), rel=1e-9, abs=1e-9
    )
    one, other = means.difference_interval(a, b).at(), means.difference_interval(b, a).at()
    if one is not None and other is not None:
        assert one == pytest.approx((-other[1], -other[0]), rel=1e-9, abs=1e-9)


@given(strata(), strata(), st.floats(-0.5, 0.5))
def test_an_empty_stratum_changes_nothing(a: Moments, b: Moments, lift: float) -> None:
    def widened(arm: Moments) -> Moments:
        return Moments.of(*(np.append(part, 0.0) for part in (arm.n, arm.mean, arm.ss)))

    plain, wide = means.contrast(a, b, null_lift=lift), means.contrast(widened(a), widened(b), null_lift=lift)
    for test in TESTS.values():
        assert test(plain) == pytest.approx(float(test(wide)), rel=1e-12)


@given(st.lists(st.tuples(strata(), strata()), min_size=1, max_size=4))
def test_a_batch_equals_single_calls(experiments: list[tuple[Moments, Moments]]) -> None:
    def batch(side: int) -> Moments:
        chosen = [pair[side] for pair in experiments]
        return Moments.of(*(np.stack([getattr(arm, name) for arm in chosen]) for name in ("n", "mean", "ss")))

    together = means.contrast(batch(0), batch(1), null_lift=-0.02)
    for i, (a, b) in enumerate(experiments):
        alone = means.contrast(a, b, null_lift=-0.02)
        for test in TESTS.values():
            assert test(together)[i] == pytest.approx(float(test(alone)), rel=1e-12)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=5))
def test_batches_of_labels_and_limits_equal_single_calls(rows: list[tuple[int, int]]) -> None:
    b, a = np.array(rows).T
    for test in (events.log_e_two_sided, events.log_e_greater, events.log_e_less):
        np.testing.assert_allclose(test(b, a, share=0.2), [test(*row, share=0.2) for row in rows], rtol=1e-12)
    n = a + b
    together = slo.log_e_compliance(b, n, limit=0.01)
    np.testing.assert_allclose(
        together, [slo.log_e_compliance(s, t, limit=0.01) for s, t in zip(b, n, strict=True)]
    )


@given(
    st.lists(
        st.tuples(st.integers(2, 10**6), st.floats(0.1, 100), st.floats(0.01, 10)), min_size=4, max_size=4
    ),
    st.floats(1e-6, 1e6),
)
def test_scaling_a_mean_metric_changes_no_verdict(arms: list[tuple[int, float, float]], scale: float) -> None:
    n, mean, deviation = (np.array(part) for part in zip(*arms, strict=True))

    def contrast(by: float) -> means.Contrast:
        ss = n * (deviation * by) ** 2
        return means.contrast(
            Moments.of(n[:2], mean[:2] * by, ss[:2]), Moments.of(n[2:], mean[2:] * by, ss[2:]), null_lift=0.02
        )

    for test in TESTS.values():
        assert test(contrast(scale)) == pytest.approx(float(test(contrast(1.0))), rel=1e-9, abs=1e-9)


@given(hnp.arrays(np.float64, (30, 2), elements=st.floats(0, 1000)), st.floats(0.001, 0.5))
def test_units_against_a_limit_are_finite(rows: np.ndarray, limit: float) -> None:
    joint = JointMoments.of_values(rows, np.zeros(30, int), 1)
    assert np.isfinite(slo.log_e_units_compliance(joint, limit=limit)).all()
    assert np.isfinite(slo.log_e_units_violation(joint, limit=limit, exceeding_units=[30])).all()
