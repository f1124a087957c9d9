"""What a server's answer says: values at the times that were asked for, or why it says nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MOST_SHOWN: Final = 200
_NUMBER: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|Inf)|NaN")
_REMARK: Final = "PromQL info:"
"""How servers begin a remark about a query's form, which older ones send among the warnings."""


class Unusable(Exception):
    """An answer that must not be taken for a measurement: what is wrong with it, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what, self.remedy = what, remedy


NO_ANSWER: Final = Unusable(
    "it answers, but not as Prometheus does", "see whether prometheus_url is its address"
)


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and its values by the millisecond; without a value none stands."""

    labels: Mapping[str, str]
    values: Mapping[int, float]


def series_of(body: bytes) -> tuple[Series, ...]:
    """Return the series of a successful answer; raises `Unusable` where it is anything else."""
    answer = _object(body)
    found = answer.get("data")
    if answer.get("status") != "success" or not isinstance(found, dict):
        raise NO_ANSWER
    warnings = answer.get("warnings") or []
    if not isinstance(warnings, list):
        raise NO_ANSWER
    partial = [str(one) for one in warnings if not str(one).startswith(_REMARK)]
    if partial:
        what = f"the answer is not whole: {_shown(partial[0])}"
        raise Unusable(what, "see the server's log; until then nothing counts as measured")
    kind, result = found.get("resultType"), found.get("result")
    if kind == "string":
        raise Unusable("the answer is text, not a number", "ask for a number")
    if not isinstance(result, list):
        raise NO_ANSWER
    if kind == "scalar":
        return (Series({}, _values([result])),)
    if kind in {"vector", "matrix"}:
        return tuple(_series(one, "value" if kind == "vector" else "values") for one in result)
    raise NO_ANSWER


def refuse_other_times(series: Iterable[Series], times: Iterable[int]) -> None:
    """Raise `Unusable` where a value stands at a time that was not asked for."""
    wanted = set(times)
    if any(not set(one.values) <= wanted for one in series):
        raise Unusable("it answers for other times than were asked", "ask Prometheus itself, not a cache")


def several(series: Sequence[Series]) -> Unusable:
    """Return why more than one number at a time is none: nobody said which of them counts."""
    some = "; ".join(_labels(one.labels) for one in series[:2])
    what = f"the answer has {len(series)} series, and a poll is one number: {some}"
    return Unusable(what, "make one of them, with max(…) or sum(…)")


def refusal(status: int, body: bytes) -> Unusable:
    """Return what an answer with an error says."""
    try:
        said = _object(body)
    except Unusable:
        said = {}
    reason = f": {_shown(str(said['error']))}" if isinstance(said.get("error"), str) else ""
    match status:
        case 400 | 422:
            return Unusable(f"it refuses the query{reason}", "correct the query")
        case 401 | 403:
            return Unusable(f"it refuses us, with HTTP {status}{reason}", "see prometheus_token")
        case 429:
            return Unusable(f"it is asked too much, HTTP 429{reason}", "ask less often, or raise its limit")
        case _ if 300 <= status < 400:  # noqa: PLR2004 (a class of HTTP)
            return Unusable(
                f"it sends us elsewhere, with HTTP {status}", "set prometheus_url to that address"
            )
        case 404:
            return Unusable("it has no such page, HTTP 404", "see whether prometheus_url is its address")
    return Unusable(f"it cannot answer, HTTP {status}{reason}", "see its log; it is asked again")


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise NO_ANSWER from None
    if not isinstance(found, dict):
        raise NO_ANSWER
    return found


def _series(found: object, key: str) -> Series:
    if not isinstance(found, dict) or not isinstance(labels := found.get("metric"), dict):
        raise NO_ANSWER
    if "histogram" in found or "histograms" in found:
        raise Unusable("the answer is a histogram, not a number", "ask for histogram_quantile(…)")
    pairs = found.get(key)
    if key == "value":
        pairs = [pairs]
    if not isinstance(pairs, list):
        raise NO_ANSWER
    return Series({str(name): str(value) for name, value in labels.items()}, _values(pairs))


def _values(pairs: Sequence[object]) -> dict[int, float]:
    values = dict[int, float]()
    for pair in pairs:
        match pair:
            case [int() | float() as at_s, str() as text] if _NUMBER.fullmatch(text) and math.isfinite(at_s):
                at_ms = round(at_s * 1_000)
            case _:
                raise NO_ANSWER
        if at_ms in values:
            raise Unusable("it gives two values for one time", "ask Prometheus itself, not a cache")
        values[at_ms] = float(text)
    return values


def _labels(labels: Mapping[str, str]) -> str:
    return _shown("{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}")


def _shown(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
