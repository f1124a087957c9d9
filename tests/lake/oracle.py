"""The slow, obvious way: plain Python over all events, from the words of the design alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from tests.lake.histories import CLOSING, LIMIT_US, RUN, Request, Told, split_at

DAY_US = 24 * 3600 * 1_000_000
FAILED_FLAGS = {"UF", "URX", "UT"}


def time_of(request: Request) -> int:
    seconds, fraction = str(request["ts"]).split(".")
    return int(seconds) * 1_000_000 + int(fraction)


def unit_of(request: Request) -> str | None:
    stripped = str(request["unit"] or "").strip(" \t")
    return stripped or None


def place_of(request: Request) -> tuple[str, str, int | None]:
    """Experiment, arm, block."""
    parts = str(request["route"] or "-").split("/")
    if len(parts) == 3:
        return parts[0], parts[1], int(parts[2])
    return (parts[0], parts[1], None) if len(parts) == 2 else ("", "none", None)


def left(request: Request) -> bool:
    return request["code"] == 0 and "DC" in str(request["flags"]).split(",")


def failed(request: Request) -> bool:
    code, attempts = request["code"], request["att"]
    assert isinstance(code, int)
    assert isinstance(attempts, int)
    if attempts > 1 or FAILED_FLAGS & set(str(request["flags"]).split(",")):
        return True
    return not left(request) and (code == 0 or code >= 500 or code == 429)


def fell_back(request: Request) -> bool:
    return request["att"] == 2


def too_slow(request: Request) -> bool:
    duration = request["dur_us"]
    if failed(request) or left(request) or duration is None:
        return True
    assert isinstance(duration, int)
    return duration > LIMIT_US


def in_run(request: Request) -> bool:
    return place_of(request)[0] == RUN.experiment and request["rev"] == str(RUN.revision)


class Unit:
    """One unit's analysed requests."""

    def __init__(self, requests: list[Request]) -> None:
        self.requests = sorted(requests, key=lambda request: (time_of(request), place_of(request)[2]))
        self.arms = {place_of(request)[1] for request in requests}
        self.enrolment = time_of(self.requests[0])
        _, self.arm, block = place_of(self.requests[0])
        assert block is not None
        self.block = block

    @property
    def is_closed(self) -> bool:
        return CLOSING.watermark_us >= self.enrolment + CLOSING.window_us + CLOSING.grace_us

    @property
    def stratum(self) -> tuple[str, int, int]:
        return self.arm, self.block, self.enrolment // DAY_US

    def in_window(self) -> list[Request]:
        return [r for r in self.requests if time_of(r) < self.enrolment + CLOSING.window_us]


def units(requests: Sequence[Request]) -> dict[str, Unit]:
    seen: dict[str, list[Request]] = defaultdict(list)
    for request in requests:
        experiment, _, block = place_of(request)
        unit = unit_of(request)
        if (
            unit
            and in_run(request)
            and block is not None
            and split_at(experiment, time_of(request)) is not None
        ):
            seen[unit].append(request)
    return {unit: Unit(own) for unit, own in seen.items()}


def enrolment(requests: Sequence[Request], from_us: int = 0) -> tuple[dict[tuple[str, int], int], int]:
    found = [unit for unit in units(requests).values() if unit.enrolment >= from_us]
    counted = Counter((unit.arm, unit.block) for unit in found if len(unit.arms) == 1)
    return dict(counted), sum(len(unit.arms) > 1 for unit in found)


def closed(requests: Sequence[Request]) -> dict[str, Unit]:
    return {name: unit for name, unit in units(requests).items() if len(unit.arms) == 1 and unit.is_closed}


def successes(
    requests: Sequence[Request], outcomes: Sequence[Told], metric: str
) -> dict[tuple[str, int, int], tuple[int, int]]:
    told: dict[tuple[str, str], tuple[int, float]] = {}
    for outcome in outcomes:
        if outcome.metric == metric:
            key = (outcome.unit.strip(" \t"), outcome.key)
            new = (outcome.ts_us, outcome.value)
            told[key] = min(told.get(key, new), new)
    found: dict[tuple[str, int, int], tuple[int, int]] = {}
    for name, unit in closed(requests).items():
        first, last = unit.enrolment - 5_000_000, unit.enrolment + CLOSING.window_us
        hit = any(
            value > 0 and first <= ts < last for (owner, _), (ts, value) in told.items() if owner == name
        )
        n, hits = found.get(unit.stratum, (0, 0))
        found[unit.stratum] = (n + 1, hits + hit)
    return found


def ratios(requests: Sequence[Request], kind: str) -> dict[tuple[str, int, int], tuple[int, ...]]:
    counted = {"errors": failed, "fallbacks": fell_back, "slow": too_slow}[kind]
    found: dict[tuple[str, int, int], tuple[int, ...]] = {}
    for unit in closed(requests).values():
        own = unit.in_window()
        x, y = len(own), sum(map(counted, own))
        new = (1, int(y > 0), y, x, y * y, x * y, x * x, ceil(Fraction(y, x) * 10**9))
        old = found.get(unit.stratum, (0,) * len(new))
        found[unit.stratum] = tuple(a + b for a, b in zip(old, new, strict=True))
    return found
