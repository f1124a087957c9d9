"""One outcome as the door reads it: a line of JSON, or the reason why it cannot be told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final, SupportsFloat, TypeAlias

Item: TypeAlias = tuple[object, object, object, object, object]
"""Unit, metric, value, when and key, as the caller gave them: nobody has looked at them yet."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def line_of(item: Item, drawn_key: str) -> bytes:
    """Return an outcome's line; without a key of its own it has the drawn one, so that a repeat is one."""
    unit, metric, value, at, key = item
    if not isinstance(unit, str) or not isinstance(metric, str) or not isinstance(key, str | None):
        raise TypeError("unit, metric and key must be text")
    if not isinstance(value, SupportsFloat):
        raise TypeError(f"value must be a number (got {value!r})")
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"value must be a number (got {value!r})")
    told = {"unit": unit, "metric": metric, "ts_us": _moment_us(at), "value": number}
    return json.dumps({**told, "key": drawn_key if key is None else key}).encode()


def _moment_us(at: object) -> int:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ValueError(f"at must say its time zone (got {at.isoformat()})")
        return (at - _EPOCH) // _MICROSECOND
    if not isinstance(at, int) or isinstance(at, bool):
        raise TypeError(f"at must be an aware datetime or whole microseconds (got {at!r})")
    return at
