"""Layers: each policy of a layer owns a range of its units, allotted at the start and frozen to the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rollout.domain.assignment import Placement
from rollout.domain.buckets import Range
from rollout.domain.policy import WHOLE_BP, Layer, Policy
from rollout.errors import Problem, WrongTraffic


def allot(policy: Policy, others: Iterable[Placement]) -> Range | None:
    """Return the first free range of a policy's layer; a policy without a layer needs none.

    `others` are the placements that live, in the order of the ledger; one that ended is not among them, so
    its range is free. The policy's own earlier revision gives its range back, and the new one begins there
    again where it fits, so that units stay. Raises `WrongTraffic` with the free share when none is left.
    """
    layer = policy.layer
    if layer is None:
        return None
    taken, own = [], None
    for other in others:
        if other.layer_range is None or not share_layer(policy, other.policy):
            continue
        if other.policy.unit_header != policy.unit_header:
            raise WrongTraffic(_other_units(policy, layer, other.policy))
        if other.policy.name == policy.name:
            own = other.layer_range
        else:
            taken.append(other)
    free = free_ranges([one.layer_range for one in taken if one.layer_range is not None])
    begins = ([own.lo] if own is not None else []) + [gap.lo for gap in free]
    for lo in begins:
        wanted = Range(lo, lo + layer.share_bp)
        if any(gap.lo <= wanted.lo and wanted.hi <= gap.hi for gap in free):
            return wanted
    raise WrongTraffic(_full(policy, layer, free, taken))


def share_layer(one: Policy, other: Policy) -> bool:
    """Return whether a layer keeps two policies' units apart, whatever their salts."""
    return one.layer is not None and other.layer is not None and one.layer.name == other.layer.name


def free_ranges(taken: Sequence[Range]) -> tuple[Range, ...]:
    """Return the ranges of a layer that nobody owns, from the first bucket on."""
    gaps, lo = [], 0
    for one in sorted(taken, key=lambda one: one.lo):
        if one.lo > lo:
            gaps.append(Range(lo, one.lo))
        lo = max(lo, one.hi)
    if lo < WHOLE_BP:
        gaps.append(Range(lo, WHOLE_BP))
    return tuple(gaps)


def _full(policy: Policy, layer: Layer, free: Sequence[Range], taken: Sequence[Placement]) -> Problem:
    widest = max((gap.size for gap in free), default=0)
    total = sum(gap.size for gap in free)
    left = f"{_percent(widest)} free" + (" in one piece" if widest < total else "")
    names = ", ".join(one.policy.name for one in taken) or "its policies"
    smaller = f"ask for at most {_percent(widest)}, or " if widest else ""
    return Problem(
        policy.name,
        f"layer '{layer.name}' has {left}, and {_percent(layer.share_bp)} is asked for",
        f"{smaller}wait until one of these ends: {names}",
    )


def _other_units(policy: Policy, layer: Layer, other: Policy) -> Problem:
    return Problem(
        policy.name,
        f"layer '{layer.name}' sorts by {other.unit_header} for {other.name}, not by {policy.unit_header}",
        "give all policies of a layer one unit",
    )


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g}%"
