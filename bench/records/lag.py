"""How old a request's record is when it is filed: a house under load, its segments and their times."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from bench.harm import house as houses
from bench.harm import servers as models
from bench.harm.house import House
from bench.harm.load import Load
from bench.harm.settings import SETTINGS, policy_text
from bench.processor import used_s
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.lake.segments import Segment

NAME: Final = "lag"
LIVE_WITHIN_S: Final = 30.0
FILED_WITHIN_S: Final = 3.0
QUANTILES: Final = (0.5, 0.95, 1.0)
_ROWS: Final = """
SELECT ts_us + coalesce(dur_us, 0) AS over_us, filename FROM read_parquet($paths, filename = true)
WHERE experiment = $experiment AND unit IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many requests a second, for how long."""

    per_second: float = 1_000.0
    seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Lag:
    """What was found: how many records, and the quantiles of how old they were, in seconds."""

    records: int
    requests_per_s: float
    quantiles_s: tuple[float, ...]
    house_share: float
    """Processor seconds of the house a second, its Envoy aside."""


def measured(plan: Plan) -> Lag:
    """Open a house, send, and compare each record with its file."""
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="rollout-", ignore_cleanup_errors=True)))
        servers = held.enter_context(models.serving())
        servers.fail(0.0)
        house = held.enter_context(houses.open_house(folder))
        load = held.enter_context(Load(house.proxy_port, plan.per_second))
        url = f"http://127.0.0.1:{house.control_port}"
        control = held.enter_context(ControlPlane(Connection(url, token=house.token)))
        urls = {"baseline": servers.baseline_url, "candidate": servers.candidate_url}
        text = policy_text(NAME, SETTINGS[0], **urls).encode()
        control.start(text, file=NAME)
        if house.acknowledged_s(NAME, 1, within_s=LIVE_WITHIN_S) is None:
            raise SystemExit("bench: its policy does not become live")
        sent = load.turn_to(f"/{NAME}", frozenset())
        before_s = used_s([house.pid])
        time.sleep(plan.seconds)
        share = (used_s([house.pid]) - before_s) / plan.seconds
        per_second = sent.answered / plan.seconds
        load.pause()
        time.sleep(FILED_WITHIN_S)
        ages_s = _ages_s(house)
    found = tuple(float(one) for one in np.quantile(ages_s, QUANTILES))
    return Lag(len(ages_s), per_second, found, share)


def _ages_s(house: House) -> Sequence[float]:
    filed = {str(path): path.stat().st_mtime for path in as_filed(house.folder / "lake" / "exposures")}
    engine = connect()
    rows = engine.execute(_ROWS, {"paths": list(filed), "experiment": NAME}).fetchall()
    engine.close()
    return [filed[file] - over_us / 1e6 for over_us, file in rows]


def as_filed(folder: Path) -> list[Path]:
    """Return the segments as they came: compaction leaves them beside what it makes of them for a while."""
    found = list(segments.listed(folder))
    return [path for one, path in found if not any(_holds(one, other) for other, _ in found)]


def _holds(larger: Segment, smaller: Segment) -> bool:
    is_same_log = (larger.node, larger.log) == (smaller.node, smaller.log)
    return larger != smaller and is_same_log and larger.start <= smaller.start and smaller.end <= larger.end


def lines(lag: Lag) -> list[str]:
    """Return what was found, in two sentences."""
    median_s, high_s, largest_s = lag.quantiles_s
    others = f"95 %: {high_s:.2f} s, largest: {largest_s:.2f} s"
    return [
        f"At {lag.requests_per_s:,.0f} requests/s, of which {lag.records:,} left a record of their own,",
        f"a record is in the lake {median_s:.2f} s after its answer ({others}).",
        f"The house, its Envoy aside, takes {100 * lag.house_share:.0f} % of a core meanwhile.",
    ]
