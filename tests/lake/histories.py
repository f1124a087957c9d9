"""Random histories of requests and outcomes, dense at every boundary, and how they reach a lake."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from rollout.domain.records import Run
from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.lake.outcomes import Outcome, write_outcomes
from rollout.lake.record import UNKNOWN, Recorder, write_exposures
from rollout.lake.segments import Kind, Segment
from rollout.lake.units import UnitHash
from rollout.stats.arrays import IntArray
from tests.lake.cold import Closing

HASHING = UnitHash(b"a key for tests, of 32 bytes ok.")
BEGIN_US = 86_400_000_000 * 20_000 - 12_000_000  # twelve seconds before midnight
WINDOW_US = 10_000_000
BLOCK_PARTS = 3
CLOSING = Closing(WINDOW_US, 2_000_000, BEGIN_US + 40_000_000)
RUN = Run("ranker", 3)
LIMIT_US = 250_000
CHANGING_FROM_US = BEGIN_US + 20_000_000
CHANGING_TO_US = BEGIN_US + 21_000_000
UNITS = ("ada", "  ada\t", "Ada", "bo", "Zoë", "Zoe\u0308", "用户", "🦊", "a b", "", " ", None)
ROUTES = (
    *("ranker/control/1", "ranker/candidate1/1", "ranker/control/2", "ranker/candidate1/2", "ranker/rest"),
    *("ranker/outside", "ranker/promoted", "other/control/1", "-", None),
)


@dataclass(frozen=True)
class Told:
    """An outcome as an application tells it."""

    unit: str
    metric: str
    ts_us: int
    value: float
    key: str


def split_at(experiment: str, ts_us: int) -> int | None:
    """Split 1, then a change that takes a second, then split 2."""
    if experiment == "ranker" and CHANGING_FROM_US <= ts_us < CHANGING_TO_US:
        return None
    return 1 if ts_us < CHANGING_FROM_US else 2


def splits_at(experiment: str, ts_us: IntArray) -> IntArray:
    """Return the same for many times."""
    found = [split_at(experiment, at_us) for at_us in ts_us.tolist()]
    return np.array([UNKNOWN if split is None else split for split in found], dtype=np.int64)


# Sums of these meet every border to the microsecond: window, skew, grace, midnight, change of split.
STEPS = st.sampled_from([0, 1, 1_000_000, 5_000_000, 10_000_000, 12_000_000, 20_000_000, 28_000_000])
MOMENTS = st.builds(
    lambda step, other, nudge: BEGIN_US + step + other + nudge,
    STEPS,
    st.one_of(st.just(0), st.just(0), STEPS),
    st.sampled_from([0, 0, 0, -1, 1]),
)
Request = dict[str, object]


def settled(request: Request, *, strays: bool) -> Request:
    """Return the request in its unit's own arm, unless it strays: else nearly every unit would be in two."""
    arm = "control" if len(str(request["unit"]).strip()) % 2 else "candidate1"
    parts = str(request["route"]).split("/")
    return (
        request
        if strays or len(parts) != BLOCK_PARTS
        else {**request, "route": f"{parts[0]}/{arm}/{parts[2]}"}
    )


REQUESTS = st.tuples(
    st.integers(0, 15),
    st.fixed_dictionaries(
        {
            "ts": MOMENTS.map(lambda ts_us: f"{ts_us // 1_000_000}.{ts_us % 1_000_000:06d}"),
            "unit": st.one_of(st.sampled_from(UNITS[:2]), st.sampled_from(UNITS)),
            "rev": st.sampled_from(["3", "3", "3", "4"]),
            "route": st.sampled_from(ROUTES),
            "served": st.just("cluster"),
            "att": st.sampled_from([1, 1, 1, 2]),
            "code": st.sampled_from([200, 200, 404, 429, 500, 0]),
            "flags": st.sampled_from(["-", "-", "UF,URX", "DC", "UT"]),
            "det": st.just("via_upstream"),
            "dur_us": st.sampled_from([None, 0, 10, 11, LIMIT_US, LIMIT_US + 1, 3_000_000, 200_000_000]),
        }
    ),
).map(lambda drawn: settled(drawn[1], strays=drawn[0] == 0))
OUTCOMES = st.builds(
    Told,
    st.one_of(
        st.sampled_from(["ada", "ada "]), st.sampled_from([unit for unit in UNITS if unit and unit.strip()])
    ),
    st.sampled_from(["bought", "bought", "clicked"]),
    MOMENTS.flatmap(lambda ts: st.sampled_from([ts, ts - 5_000_000])),
    st.sampled_from([0, 1, 1]),
    st.sampled_from(["", "k1", "k2"]),
)


def as_lines(requests: Sequence[Request]) -> bytes:
    """Return requests as Envoy logs them."""
    return b"".join(json.dumps(request).encode() + b"\n" for request in requests)


def as_outcomes(told: Sequence[Told]) -> list[Outcome]:
    """Return outcomes as the door hands them on."""
    found = []
    for one in told:
        unit = HASHING.unit(one.unit)
        assert unit is not None
        found.append(
            Outcome(unit, one.metric, one.ts_us, round(one.value * 1_000_000), HASHING.key_of(one.key))
        )
    return found


def file_exposures(folder: Path, requests: Sequence[Request], *, node: str, cuts: int = 1) -> None:
    """Put requests into a lake, as so many segments of one log."""
    engine, recorder, log = connect(), Recorder(HASHING, splits_at), "0" * 32
    within = folder / Kind.EXPOSURES
    within.mkdir(parents=True, exist_ok=True)
    start = 0
    for number in range(cuts):
        lines = as_lines(requests[number::cuts])
        target = within / Segment(node, log, start, start + len(lines) + 1).name
        unfinished = target.with_suffix(".tmp")
        write_exposures(engine, recorder.read(lines), unfinished)
        segments.publish(unfinished, target)
        start += len(lines) + 1


def file_outcomes(folder: Path, told: Sequence[Told], *, node: str) -> None:
    """Put outcomes into a lake."""
    within = folder / Kind.OUTCOMES
    within.mkdir(parents=True, exist_ok=True)
    target = within / Segment(node, "1" * 32, 0, max(len(told), 1)).name
    write_outcomes(connect(), as_outcomes(told), target.with_suffix(".tmp"))
    segments.publish(target.with_suffix(".tmp"), target)


def request_at(since_begin_us: int, **changes: object) -> Request:
    """Return an ordinary request, so long after the beginning."""
    ts_us = BEGIN_US + since_begin_us
    request: Request = {
        "ts": f"{ts_us // 1_000_000}.{ts_us % 1_000_000:06d}",
        "unit": "ada",
        "rev": str(RUN.revision),
        "route": "ranker/control/1",
        "served": "baseline",
        "att": 1,
        "code": 200,
        "flags": "-",
        "det": "via_upstream",
        "dur_us": 1000,
    }
    return {**request, **changes}
