"""One function for each form that a leaf can have, `30m`, `5%`, `"1.4.2"`; each refuses every other form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlsplit

from rollout.domain.policy import WHOLE_BP
from rollout.errors import choices, nearest
from rollout.policyfile.finding import did_you_mean
from rollout.policyfile.nodes import Scalar

DIGITS: Final = r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?"
NUMBER: Final = re.compile(f"-?{DIGITS}")
WHOLE_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,14}")
PERCENTAGE: Final = re.compile(f"(-?{DIGITS})%")
DURATION: Final = re.compile(f"({DIGITS})(ms|s|m|h|d)")
RATE: Final = re.compile(f"({DIGITS})/(day|s)")
UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_S: Final = 366 * 86_400
MAXIMUM_CHARACTERS: Final = 1_000

LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]+\]")
HEADER: Final = re.compile(r"header:((?!x-rollout-)[a-z0-9][a-z0-9-]{0,63})")
ROUTE: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*)?")
METRIC_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")

# What YAML 1.1 or 1.2 reads as something else than text: numbers, base 60, dates, truth and nothing.
NOT_TEXT: Final = re.compile(
    r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[-+]?\.([0-9_]+|inf)|\.nan|[-+]?0[xob][0-9a-f_]+"
    r"|[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"
    r"|y|yes|n|no|true|false|on|off",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written; stands beside its type, for errors and for the reference page."""

    text: str


class Unfit(ValueError):
    """A value that its key cannot take."""

    def __init__(self, what: str, remedy: str | None = None, *, shows_value: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.shows_value = shows_value


def text(value: object) -> str:
    """Return text that every YAML reader takes for text, printable and without line breaks."""
    scalar = _scalar(value, "text")
    if not scalar.is_quoted and NOT_TEXT.fullmatch(scalar.text):
        raise Unfit("must be quoted: YAML does not read it as text", f'write "{scalar.text}"')
    if not scalar.text.strip() or scalar.text != scalar.text.strip():
        raise Unfit("must be text without blanks around it")
    if not scalar.text.isprintable() or len(scalar.text) > MAXIMUM_CHARACTERS:
        raise Unfit(f"must be one line of at most {MAXIMUM_CHARACTERS} printable characters")
    return scalar.text


def version(value: object) -> str:
    """Return a version, which must be quoted: YAML reads 1.10 as 1.1."""
    scalar = _scalar(value, 'a quoted version such as "1.4.2"')
    if not scalar.is_quoted:
        raise Unfit("must be quoted: YAML reads 1.10 as 1.1", f'write "{scalar.text}"')
    return text(scalar)


def label(value: object) -> str:
    """Return a name that may stand in a DNS name and in Kubernetes."""
    found = text(value)
    if not LABEL.fullmatch(found):
        lowered = re.sub(r"[^a-z0-9-]+", "-", found.lower()).strip("-")
        guess = lowered if LABEL.fullmatch(lowered) else None
        raise Unfit(
            "must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen at an end",
            did_you_mean(guess),
        )
    return found


def metric_name(value: object) -> str:
    """Return a metric's name, under which its outcomes are reported."""
    found = text(value)
    if not METRIC_NAME.fullmatch(found):
        raise Unfit("must be a letter, then at most 62 letters, digits and the signs . _ -")
    return found


def route_path(value: object) -> str:
    """Return a path that requests can have: absolute, normal, without query."""
    found = text(value)
    if not found.startswith("/"):
        raise Unfit("must start with /", did_you_mean(f"/{found}" if ROUTE.fullmatch(f"/{found}") else None))
    if not ROUTE.fullmatch(found) or {".", ".."} & set(found.split("/")):
        stem = found.rstrip("/")
        guess = did_you_mean(stem) if stem and ROUTE.fullmatch(stem) else None
        raise Unfit("must be segments such as /churn/v2: no empty one, no / at the end, no ? # or %", guess)
    return found


def url(value: object) -> str:
    """Return the address of a server: scheme, host and port."""
    found = text(value)
    try:
        parts = urlsplit(found)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Unfit("must be an address such as http://churn-v1:8000") from None
    if "@" in parts.netloc:
        raise Unfit("must hold no user or password", "keep secrets out of policies", shows_value=False)
    if parts.scheme == "https":
        raise Unfit("TLS to a model server is not supported yet", "write http://")
    if parts.scheme != "http":
        guess = f"http://{found}" if "://" not in found and HOST.fullmatch(found.partition(":")[0]) else None
        raise Unfit("must begin with http://", did_you_mean(guess))
    written = f"[{host}]" if ":" in host else host
    if not HOST.fullmatch(written) or port == 0:
        raise Unfit("must name a host, such as http://churn-v1:8000")
    if parts.path not in {"", "/"} or "?" in found or "#" in found:
        bare = f"{parts.scheme}://{parts.netloc}"
        raise Unfit("must end after host and port: the request's own path is kept", did_you_mean(bare))
    return found


def unit_header(value: object) -> str:
    """Return the header that names a unit."""
    found = text(value)
    matched = HEADER.fullmatch(found)
    if not matched:
        guess = next(
            (form for form in (found.lower(), f"header:{found.lower()}") if HEADER.fullmatch(form)), None
        )
        if found.startswith("header:x-rollout-"):
            raise Unfit("must not begin with x-rollout-: such headers are taken from clients")
        what = "must be header: and a header's name in lower case, such as header:x-user-id"
        raise Unfit(what, did_you_mean(guess))
    return matched[1]


def duration_s(value: object) -> float:
    """Return seconds, more than none and at most 366 days."""
    form = "a duration such as 300ms, 90s, 30m, 24h or 14d"
    matched = DURATION.fullmatch(_scalar(value, form).text)
    if not matched:
        raise Unfit(f"must be {form}")
    seconds = Decimal(matched[1]) * UNIT_MS[matched[2]] / 1_000
    if not Decimal("0.001") <= seconds <= LONGEST_S:
        raise Unfit("must be from 1ms to 366d")
    return float(seconds)


def duration_us(value: object) -> int:
    """Return whole microseconds of a duration."""
    return round(duration_s(value) * 1_000_000)


def share(value: object) -> float:
    """Return a percentage as a share: more than none and at most all."""
    found = _percentage(value)
    if not 0 < found <= 1:
        raise Unfit("must be more than 0% and at most 100%")
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


def whole_number(value: object) -> int:
    """Return a number of things."""
    form = "a whole number such as 500"
    scalar = _scalar(value, form)
    if scalar.is_quoted or not WHOLE_NUMBER.fullmatch(scalar.text):
        raise Unfit(f"must be {form}")
    return int(scalar.text)


def quantile(value: object) -> float:
    """Return a quantile from the median up."""
    found = _number(value, "a quantile such as 0.99")
    if not Decimal("0.5") <= found <= Decimal("0.9999"):
        raise Unfit("must be from 0.5 to 0.9999")
    return float(found)


def level(value: object) -> float:
    """Return what is known of a metric: a number or a percentage."""
    form = "a number such as 3.1, a percentage such as 12%, or keys `mean` and `sd`"
    scalar = _scalar(value, form)
    if PERCENTAGE.fullmatch(scalar.text):
        return float(_percentage(scalar))
    return float(_number(scalar, form))


def deviation(value: object) -> float:
    """Return a standard deviation."""
    found = level(value)
    if found <= 0:
        raise Unfit("must be more than 0")
    return found


def per_day(value: object) -> float:
    """Return units per day."""
    return _rate(value, "day", "400000/day")


def per_second(value: object) -> float:
    """Return requests per second."""
    return _rate(value, "s", "200/s")


Word = TypeVar("Word", bound=StrEnum)


def one_of(words: Iterable[Word]) -> Callable[[object], Word]:
    """Return the function that takes one of a few words, and guesses which was meant by another."""
    known = {word.value: word for word in words}

    def word_of(value: object) -> Word:
        form = choices(known)
        found = _scalar(value, form).text
        if found not in known:
            raise Unfit(f"must be {form}", did_you_mean(nearest(found, known)))
        return known[found]

    return word_of


def _scalar(value: object, form: str) -> Scalar:
    if not isinstance(value, Scalar) or value.is_null:
        raise Unfit(f"must be {form}")
    return value


def _number(value: object, form: str) -> Decimal:
    scalar = _scalar(value, form)
    if scalar.is_quoted or not NUMBER.fullmatch(scalar.text):
        raise Unfit(f"must be {form}")
    return Decimal(scalar.text)


def _percentage(value: object) -> Decimal:
    scalar = _scalar(value, "a percentage such as 5%")
    matched = PERCENTAGE.fullmatch(scalar.text)
    if not matched:
        guess = f"{scalar.text}%" if WHOLE_NUMBER.fullmatch(scalar.text) else None
        raise Unfit("must be a percentage such as 5%", did_you_mean(guess))
    return Decimal(matched[1]) / 100


def _rate(value: object, unit: str, example: str) -> float:
    matched = RATE.fullmatch(_scalar(value, f"a rate such as {example}").text)
    if not matched or matched[2] != unit:
        raise Unfit(f"must be a rate such as {example}")
    rate = float(matched[1])
    if rate <= 0:
        raise Unfit("must be more than 0")
    return rate
