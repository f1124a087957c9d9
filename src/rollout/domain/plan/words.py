"""Numbers of a plan as people read them, and as a policy file has them."""

from __future__ import annotations

import math
from typing import Final

_UNITS_S: Final = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))
_WRITTEN_S: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_FINE_FROM: Final = 10.0
_ROUNDING: Final = 1e-9


def span(seconds: float | None) -> str:
    """Return `5 d 3 h`: the two largest units, of long times the largest alone."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 1.0:
        return "under 1 s" if seconds > 0 else "0 s"
    for (name, size), finer in zip(_UNITS_S, (*_UNITS_S[1:], None), strict=True):
        if seconds < size:
            continue
        if finer is None or seconds >= _FINE_FROM * size:
            return f"{round(seconds / size):,} {name}"
        whole, rest = divmod(round(seconds / finer[1]) * finer[1], size)
        return f"{whole:g} {name}" + (f" {rest / finer[1]:g} {finer[0]}" if rest else "")
    return "–"


def count(number: float | None) -> str:
    """Return `1,680,000`: three digits of what is large."""
    if number is None or not math.isfinite(number):
        return "–"
    rounded = math.ceil(number - _ROUNDING)
    digits = len(str(rounded))
    return f"{round(rounded, min(0, 3 - digits)):,}"


def percent(share: float | None) -> str:
    """Return `0.66 %`: two digits, more only of what is nearly all."""
    if share is None:
        return "–"
    scaled = share * 100
    if scaled == 0 or abs(scaled) >= _FINE_FROM:
        return f"{scaled:.0f} %" if abs(scaled - round(scaled)) < _ROUNDING else f"{scaled:.1f} %"
    return f"{float(f'{scaled:.2g}'):g} %"


def written_span(seconds: float) -> str:
    """Return `31d`, as a policy file has it: rounded up to the unit in which two or more fit."""
    for unit, size in _WRITTEN_S:
        if seconds > 2 * size:
            return f"{math.ceil(seconds / size - _ROUNDING)}{unit}"
    return f"{max(math.ceil(seconds - _ROUNDING), 1)}s"


def written_percent(share: float) -> str:
    """Return `3.1%`, as a policy file has it: two digits, rounded up."""
    return f"{rounded_up(share) * 100:.10g}%"


def rounded_up(share: float) -> float:
    """Return a share with two digits, never less than it."""
    if share <= 0:
        return 0.0
    size = 10.0 ** (math.floor(math.log10(share)) - 1)
    return round(math.ceil(share / size - _ROUNDING) * size, 12)


def rounded_down(share: float) -> float:
    """Return a share with two digits, never more than it."""
    if share <= 0:
        return 0.0
    size = 10.0 ** (math.floor(math.log10(share)) - 1)
    return round(math.floor(share / size + _ROUNDING) * size, 12)
