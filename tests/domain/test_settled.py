"""Evidence in the one order of memory that a record gives back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.basis import settled
from tests.cost import calls_of
from tests.domain.scenes import evidence


def test_arrays_that_lie_otherwise_are_copied_and_nothing_else_is() -> None:
    plain = settled(evidence(units=900))
    assert settled(plain) is plain
    turned = replace(plain, enrolled=np.asfortranarray(np.arange(6).reshape(1, 2, 3).repeat(2, axis=0)))
    found = settled(turned)
    assert found.enrolled.flags.c_contiguous
    assert (found.enrolled == turned.enrolled).all()
    assert all(new is old for new, old in zip(found.arms, turned.arms, strict=True))


@given(is_turned=st.booleans(), is_known=st.booleans())
def test_what_was_settled_before_is_passed_over_and_what_is_new_is_not(
    *, is_turned: bool, is_known: bool
) -> None:
    before = settled(evidence(units=900))
    fortran = np.asfortranarray(np.arange(12).reshape(2, 2, 3))
    now = replace(before, enrolled=fortran if is_turned else before.enrolled, watermark_us=1)
    found = settled(now, before=before if is_known else None)
    assert found.enrolled.flags.c_contiguous
    assert (found.enrolled == now.enrolled).all()
    assert found.arms is before.arms
    assert found.watermark_us == 1


def test_a_look_of_which_little_is_new_costs_little() -> None:
    before = settled(evidence(units=900))
    now = replace(before, watermark_us=1)
    assert 4 * calls_of(lambda: settled(now, before=before)) < calls_of(lambda: settled(now))
