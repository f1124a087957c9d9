"""A small made-up lake: a morning's requests as Envoy logs them, and outcomes, recorded as a node does it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rollout.domain.assignment import CONTROL, arm_name
from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.lake.outcomes import MICRO, Outcome, write_outcomes
from rollout.lake.record import Recorder, write_exposures
from rollout.lake.segments import Kind, Segment
from rollout.lake.units import UnitHash

NAME: Final = "churn-v2"
NODE: Final = "sample"
KEY: Final = b"the key of a sample, known to all"
BEGIN_US: Final = 1_760_000_400_000_000
"""Some morning, at a full ten minutes."""
SECOND_US: Final = 1_000_000
SEED: Final = 7
UNITS: Final = 3_000
SPREAD_US: Final = 4 * 3_600 * SECOND_US
"""Over how long units are enrolled."""
RATES: Final = {CONTROL: 0.20, arm_name(1): 0.28}
FAILS: Final = 0.004
REQUESTS: Final = 3
ENDS_AFTER_US: Final = 6 * 3_600 * SECOND_US
POLICY: Final = f"""\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {NAME}, owner: growth-ml}}
spec:
  route: {{path: /churn}}
  baseline: {{version: "1.4.2", url: "http://churn-v1.example:8080"}}
  candidate: {{version: "2.0.0", url: "http://churn-v2.example:8080"}}
  assignment: {{unit: "header:x-user-id", salt: sample-churn}}
  resilience: {{timeout: 3s, perTryTimeout: 500ms, fallback: baseline, maxFallback: 1%}}
  expect: {{converted: 20%}}
  metrics:
    - {{name: converted, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 20%, window: 30m}}
    - {{name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 2%, window: 10m}}
    - {{name: p99, role: slo, source: proxy, type: latency, quantile: 0.99, max: 250ms, window: 10m}}
  steps:
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 1d}}}}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 2m, then: pause}}}}
"""


@dataclass(frozen=True, slots=True)
class Written:
    """Where the parts of a sample lie."""

    policy: Path
    log: Path
    lake: Path


def write_sample(folder: Path, chance: random.Random) -> Written:
    """Write a policy, a log of requests and the lake that a node and the intake make of it."""
    written = Written(folder / "policy.yaml", folder / "access.log", folder / "lake")
    lines, told = _morning(chance)
    for kind in Kind:
        (written.lake / kind).mkdir(parents=True, exist_ok=True)
    written.policy.write_text(POLICY, encoding="utf-8")
    written.log.write_bytes(lines)
    hashing, engine = UnitHash(KEY), connect()
    recorder = Recorder(hashing, lambda _experiment, ts_us: np.ones(len(ts_us), dtype=np.int64))
    target = written.lake / Kind.EXPOSURES / Segment(NODE, "0" * 32, 0, len(lines)).name
    write_exposures(engine, recorder.read(lines), target)
    outcomes = [
        Outcome(unit, "converted", ts_us, MICRO, hashing.key_of(f"sample {name}"))
        for name, ts_us in told
        if (unit := hashing.unit(name)) is not None
    ]
    target = written.lake / Kind.OUTCOMES / Segment(NODE, "1" * 32, 0, len(outcomes)).name
    write_outcomes(engine, outcomes, target)
    segments.sync(written.lake)
    return written


def _morning(chance: random.Random) -> tuple[bytes, list[tuple[str, int]]]:
    """Return the log's lines in the order of time, and who converted when."""
    requests: list[tuple[int, str, str, int]] = []
    told: list[tuple[str, int]] = []
    for number in range(UNITS):
        unit, arm = f"user-{number:04d}", (CONTROL, arm_name(1))[number % 2]
        enrolled_us = BEGIN_US + number * SPREAD_US // UNITS
        for visit in range(REQUESTS):
            at_us = enrolled_us + visit * chance.randrange(60, 120) * SECOND_US
            requests.append((at_us, unit, arm, 500 if chance.random() < FAILS else 200))
        if chance.random() < RATES[arm]:
            told.append((unit, enrolled_us + chance.randrange(5, 1500) * SECOND_US))
    # Somebody who comes when everybody else's windows have closed: the lake's newest time.
    requests.append((BEGIN_US + ENDS_AFTER_US, "user-last", CONTROL, 200))
    return b"".join(_line(chance, *request) for request in sorted(requests)), told


def _line(chance: random.Random, at_us: int, unit: str, arm: str, code: int) -> bytes:
    """Return a request as Envoy logs it."""
    line = {
        "ts": f"{at_us // SECOND_US}.{at_us % SECOND_US:06d}",
        "unit": unit,
        "rev": "1",
        "route": f"{NAME}/{arm}/1",
        "served": arm,
        "att": 1,
        "code": code,
        "flags": "-",
        "det": "via_upstream",
        "dur_us": round(chance.lognormvariate(11.0, 0.35)),
    }
    return json.dumps(line).encode() + b"\n"
