"""What an application may tell: one outcome, checked against the metrics that exist now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from math import isfinite
from typing import Final

import msgspec

from rollout.domain.metric import Metric, MetricType, Source
from rollout.errors import nearest
from rollout.lake.outcomes import MICRO, Outcome
from rollout.lake.units import BLANKS, UnitHash

LARGEST_TEXT: Final = 512
LARGEST_VALUE: Final = 4_000_000
AHEAD_US: Final = 5 * 60 * 1_000_000
BEHIND_US: Final = 90 * 86_400 * 1_000_000
SHOWN_CHARACTERS: Final = 60
TIMELY: Final = "from 90 days ago to 5 minutes ahead"
LIKELY: Final = (
    (10**8, 10**11, "seconds"),
    (10**11, 10**14, "milliseconds"),
    (10**17, 10**20, "nanoseconds"),
)
"""From 1973 to 5138 no two units share a range."""
WRONG_UNIT: Final = f"unit: must be 1 to {LARGEST_TEXT} characters, and not blank"
FRESH_S: Final = 0.5


class Meaning(StrEnum):
    """What a metric takes an outcome's value for; the text is what a value must be."""

    DID_IT = "0 or 1 for a binary metric"
    TIMES = "a whole number, not negative, for a count"
    AMOUNT = f"within ±{LARGEST_VALUE}"
    DIVISOR = f"at least 0 and at most {LARGEST_VALUE} for a ratio's denominator"

    def allows(self, value: float) -> bool:
        """Whether the value is possible."""
        if not isfinite(value) or abs(value) > LARGEST_VALUE:
            return False
        match self:
            case Meaning.DID_IT:
                return value in (0, 1)
            case Meaning.TIMES:
                return value >= 0 and value.is_integer()
            case Meaning.DIVISOR:
                return value >= 0
            case Meaning.AMOUNT:
                return True


Wanted = Mapping[str, frozenset[Meaning]]
"""The outcomes that somebody asks for, and what each is taken for."""


def wanted(metrics: Iterable[Metric]) -> Wanted:
    """Return the outcomes that metrics are computed from: a ratio asks for two, by their own names."""
    found: dict[str, set[Meaning]] = {}
    for metric in metrics:
        if metric.source is Source.OUTCOMES:
            for name, meaning in _asked(metric):
                found.setdefault(name, set()).add(meaning)
    return {name: frozenset(meanings) for name, meanings in found.items()}


class Remembered:
    """What is wanted, asked for again, by one caller, when the answer is old: it is read from a database."""

    def __init__(self, ask: Callable[[], Wanted], *, now_s: Callable[[], float]) -> None:
        self._ask, self._now_s = ask, now_s
        self._answer: Wanted = {}
        self._asked_s: float | None = None
        self._turn = asyncio.Lock()

    async def now(self) -> Wanted:
        """Return what was wanted at most `FRESH_S` before this call."""
        if self._is_old():
            async with self._turn:
                if self._is_old():
                    began_s = self._now_s()
                    self._answer = await asyncio.to_thread(self._ask)
                    self._asked_s = began_s
        return self._answer

    def _is_old(self) -> bool:
        return self._asked_s is None or self._now_s() - self._asked_s > FRESH_S


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An outcome as an application tells it; without a key, its content is the key."""

    unit: str
    metric: str
    ts_us: int
    value: float
    key: str | None = None


_DECODER: Final = msgspec.json.Decoder(Told)


class Untimely(ValueError):
    """A time that is not taken; the bounds are `TIMELY`."""

    def __init__(self, ts_us: int, now_us: int) -> None:
        expected = f"microseconds since 1970, {TIMELY}"
        super().__init__(f"ts_us: must be {expected} (got {ts_us}{_likely(ts_us, now_us)})")


class Checker:
    """Turns what one application tells in one request into outcomes; each refusal is a ValueError."""

    def __init__(self, hashing: UnitHash, application: str, metrics: Wanted, now_us: int) -> None:
        self._hashing, self._application = hashing, application
        self._metrics, self._now_us = metrics, now_us

    def outcome(self, item: bytes | msgspec.Raw) -> Outcome:
        """Return the outcome that stands in an item, or raise ValueError with what is wrong."""
        told = _DECODER.decode(item)
        unit = self._hashing.unit(told.unit)
        if unit is None:
            raise ValueError(WRONG_UNIT)
        check(told, self._metrics, self._now_us)
        # No application's name holds a blank: what two of them tell never shares a key.
        key = self._hashing.key_of(f"{self._application} {key_text(told)}")
        return Outcome(unit, told.metric, told.ts_us, micro_units(told.value), key)


def check(told: Told, metrics: Wanted | None, now_us: int) -> None:
    """Raise ValueError with what is wrong; where the metrics are not known, only what none of them takes."""
    if not told.unit.encode().strip(BLANKS) or len(told.unit) > LARGEST_TEXT:
        raise ValueError(WRONG_UNIT)
    if told.key is not None and not 0 < len(told.key) <= LARGEST_TEXT:
        raise ValueError(f"key: must be 1 to {LARGEST_TEXT} characters, or left out")
    meanings = _unknown_metric(told) if metrics is None else _meanings(told, metrics)
    # What one policy can use is kept, whatever another takes the same name for.
    if not any(meaning.allows(told.value) for meaning in meanings):
        raise ValueError(f"value: must be {' or '.join(sorted(meanings))} (got {told.value})")
    if not now_us - BEHIND_US <= told.ts_us <= now_us + AHEAD_US:
        raise Untimely(told.ts_us, now_us)


def key_text(told: Told) -> str:
    """Return what makes an outcome of one unit and metric the same as another: its key, or its content."""
    return f"k{told.key}" if told.key is not None else f"c{told.ts_us} {micro_units(told.value)}"


def micro_units(value: float) -> int:
    """Return a value that was checked as it is stored."""
    return round(value * MICRO)


def _meanings(told: Told, metrics: Wanted) -> frozenset[Meaning]:
    found = metrics.get(told.metric)
    if found is None:
        guess = nearest(told.metric[:SHOWN_CHARACTERS], metrics)
        hint = f"did you mean '{guess}'?" if guess else "no running policy asks for it"
        raise ValueError(f"metric: '{told.metric[:SHOWN_CHARACTERS]}' is unknown; {hint}")
    return found


def _unknown_metric(told: Told) -> frozenset[Meaning]:
    if not told.metric.strip():
        raise ValueError("metric: must not be blank")
    return frozenset([Meaning.AMOUNT])


def _likely(ts_us: int, now_us: int) -> str:
    """Say what a wrong time probably is, for whoever has to mend it."""
    for least, below, unit in LIKELY:
        if least <= ts_us < below:
            return f": these look like {unit}"
    return ": leave out what is older" if 0 < ts_us < now_us else ""


def _asked(metric: Metric) -> list[tuple[str, Meaning]]:
    match metric.type:
        case MetricType.BINARY:
            return [(metric.name, Meaning.DID_IT)]
        case MetricType.COUNT:
            return [(metric.name, Meaning.TIMES)]
        case MetricType.MEAN:
            return [(metric.name, Meaning.AMOUNT)]
        case MetricType.RATIO:
            pairs = ((metric.numerator, Meaning.AMOUNT), (metric.denominator, Meaning.DIVISOR))
            return [(name, meaning) for name, meaning in pairs if name is not None]
        case MetricType.THRESHOLD | MetricType.ERROR_RATE | MetricType.LATENCY:
            return []
