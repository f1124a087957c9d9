"""Write quantities as a policy file has them: `30m`, `5%`."""

from __future__ import annotations

from typing import Final

UNITS_S: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def duration_text(seconds: float) -> str:
    """Return `30m` for 1,800 seconds: the largest unit of which it is a whole number."""
    for unit, size in UNITS_S:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def percent_text(share: float) -> str:
    """Return `5%` for 0.05."""
    return f"{round(share * 100, 6):g}%"
