"""Whether two accounts of one run are the same, bit for bit."""

from __future__ import annotations

import numpy as np

from rollout.lake.accounts.accounts import Accounts

_PARTS = ("units", "nonzero", "totals", "products", "fraction_nano")


def differences(kept: Accounts, anew: Accounts) -> tuple[str, ...]:
    """Return the names of what is not the same, bit for bit, in two accounts of one run."""
    rows, others = kept.rows(), anew.rows()
    found = [name for name in rows if not np.array_equal(rows[name], others[name])]
    if kept.two_armed != anew.two_armed:
        found.append("units in two arms")
    if not np.array_equal(kept.enrolled(), anew.enrolled()):
        found.append("enrolled units")
    for metric in kept.asked.everything:
        at_us = kept.closed_until(metric.name)
        one, other = kept.closed(metric.name, at_us), anew.closed(metric.name, at_us)
        if one.days != other.days or any(
            not np.array_equal(getattr(one, part), getattr(other, part)) for part in _PARTS
        ):
            found.append(f"sums of {metric.name}")
    return tuple(found)
