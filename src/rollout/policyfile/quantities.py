"""One function for each form of a quantity: `30m`, `5%`, `200/s`; each refuses every other form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from rollout.domain.policy import WHOLE_BP
from rollout.policyfile.finding import did_you_mean
from rollout.policyfile.forms import Unfit, scalar_of
from rollout.policyfile.writing import duration_text

DIGITS: Final = r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?"
NUMBER: Final = re.compile(f"-?{DIGITS}")
WHOLE_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,14}")
PERCENTAGE: Final = re.compile(f"(-?{DIGITS})%")
DURATION: Final = re.compile(f"({DIGITS})(ms|s|m|h|d)")
RATE: Final = re.compile(f"({DIGITS})/(day|s)")
UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
OTHER_UNITS_S: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
ONE_OF_OTHERS: Final = re.compile(r"([0-9]{1,9}) ?(sec|s|min|m|h|d|w)")
OTHER_DURATIONS: Final = re.compile(f"(?:{ONE_OF_OTHERS.pattern} ?)+")
LONGEST_S: Final = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time, where a number or a percentage may stand too."""

    microseconds: int


def duration_s(value: object) -> float:
    """Return seconds, more than none and at most 366 days."""
    form = "a duration such as 300ms, 90s, 30m, 24h or 14d"
    matched = DURATION.fullmatch(scalar_of(value, form).text)
    if not matched:
        raise Unfit(f"must be {form}", did_you_mean(_meant(scalar_of(value, form).text)))
    seconds = Decimal(matched[1]) * UNIT_MS[matched[2]] / 1_000
    if not Decimal("0.001") <= seconds <= LONGEST_S:
        raise Unfit("must be from 1ms to 366d")
    return float(seconds)


def _meant(written: str) -> str | None:
    """Return what was meant by `1h30m`, `30 min` or `1w`."""
    if not OTHER_DURATIONS.fullmatch(written):
        return None
    parts = ONE_OF_OTHERS.findall(written)
    seconds = sum(int(number) * OTHER_UNITS_S[unit] for number, unit in parts)
    guess = duration_text(seconds)
    return guess if 0 < seconds <= LONGEST_S and DURATION.fullmatch(guess) else None


def duration_us(value: object) -> int:
    """Return whole microseconds of a duration."""
    return round(duration_s(value) * 1_000_000)


def share(value: object) -> float:
    """Return a percentage as a share: more than none and at most all."""
    found = _percentage(value)
    if not 0 < found <= 1:
        raise Unfit("must be more than 0% and at most 100%")
    return float(found)


def ceiling(value: object) -> float:
    """Return a share that can be passed: a ceiling of all would never be."""
    found = _percentage(value)
    if not 0 < found < 1:
        raise Unfit("must be more than 0% and less than 100%")
    return float(found)


def chance(value: object) -> float:
    """Return how often a decision may be wrong: more than never, less than every second time."""
    found = _percentage(value)
    if not 0 < found < Decimal("0.5"):
        raise Unfit("must be more than 0% and less than 50%")
    return float(found)


def weight_bp(value: object) -> int:
    """Return a percentage as basis points."""
    found = _percentage(value) * WHOLE_BP
    if found < 1 or found != int(found):
        raise Unfit("must be a multiple of 0.01%, and more than 0%")
    return int(found)


def part_bp(value: object) -> int:
    """Return a percentage of the whole as basis points."""
    found = weight_bp(value)
    if found > WHOLE_BP:
        raise Unfit("must be at most 100%")
    return found


def whole_number(value: object) -> int:
    """Return a number of things."""
    form = "a whole number such as 500"
    scalar = scalar_of(value, form)
    if scalar.is_quoted or not WHOLE_NUMBER.fullmatch(scalar.text):
        is_only_quoted = scalar.is_quoted and WHOLE_NUMBER.fullmatch(scalar.text)
        raise Unfit(f"must be {form}", "write it without quotes" if is_only_quoted else None)
    return int(scalar.text)


def quantile(value: object) -> float:
    """Return a quantile from the median up."""
    found = _number(value, "a quantile such as 0.99")
    if not Decimal("0.5") <= found <= Decimal("0.9999"):
        raise Unfit("must be from 0.5 to 0.9999")
    return float(found)


def level(value: object) -> float | Span:
    """Return what is known of a metric: a number, a percentage or, of a latency, a duration."""
    form = "a number such as 3.1, a percentage such as 12%, or keys `mean` and `sd`"
    scalar = scalar_of(value, form)
    if DURATION.fullmatch(scalar.text):
        return Span(duration_us(scalar))
    return bound(scalar, form)


def bound(value: object, form: str = "a number such as 0.9 or a percentage such as 90%") -> float:
    """Return a number, perhaps written as a percentage."""
    scalar = scalar_of(value, form)
    return float(_percentage(scalar) if PERCENTAGE.fullmatch(scalar.text) else _number(scalar, form))


def positive(value: object) -> float:
    """Return a number of more than nothing."""
    found = bound(value, "a number such as 500")
    if found <= 0:
        raise Unfit("must be more than 0")
    return found


def per_day(value: object) -> float:
    """Return units per day."""
    return _rate(value, "day", "400000/day")


def per_second(value: object) -> float:
    """Return requests per second."""
    return _rate(value, "s", "200/s")


def _number(value: object, form: str) -> Decimal:
    scalar = scalar_of(value, form)
    if scalar.is_quoted or not NUMBER.fullmatch(scalar.text):
        is_only_quoted = scalar.is_quoted and NUMBER.fullmatch(scalar.text)
        raise Unfit(f"must be {form}", "write it without quotes" if is_only_quoted else None)
    return Decimal(scalar.text)


def _percentage(value: object) -> Decimal:
    scalar = scalar_of(value, "a percentage such as 5%")
    matched = PERCENTAGE.fullmatch(scalar.text)
    if not matched:
        guess = f"{scalar.text}%" if WHOLE_NUMBER.fullmatch(scalar.text) else None
        raise Unfit("must be a percentage such as 5%", did_you_mean(guess))
    return Decimal(matched[1]) / 100


def _rate(value: object, unit: str, example: str) -> float:
    matched = RATE.fullmatch(scalar_of(value, f"a rate such as {example}").text)
    if not matched or matched[2] != unit:
        raise Unfit(f"must be a rate such as {example}")
    rate = float(matched[1])
    if rate <= 0:
        raise Unfit("must be more than 0")
    return rate
