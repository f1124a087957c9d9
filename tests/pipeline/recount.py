"""What lake and counts say was recorded, to be compared with what was put in."""

from __future__ import annotations

from collections import Counter
from typing import Final

from rollout.domain.records import NO_BLOCK, Run
from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.lake.segments import Kind
from tests.lake.cold import Closing, Lake
from tests.pipeline.chain import Chain
from tests.pipeline.families import SECOND_US, WINDOW_S, goal_of
from tests.pipeline.lives import Life

REVISION: Final = 1
WINDOW_US: Final = int(WINDOW_S * SECOND_US)
_ROUTES: Final = """
SELECT concat_ws('/', experiment, arm, block), sum(requests)::BIGINT,
  coalesce(sum(requests) FILTER (first_failed), 0)::BIGINT
FROM read_parquet($paths) GROUP BY ALL
"""
Sums = tuple[Counter[str], Counter[str]]


def lake_sums(chain: Chain) -> Sums:
    """Return requests and failures by route, as the lake holds them."""
    paths = [str(path) for path in segments.covering(chain.lake / Kind.EXPOSURES)]
    rows = connect().execute(_ROUTES, {"paths": paths}).fetchall()
    return (
        Counter({route: requests for route, requests, _ in rows}),
        Counter({route: failures for route, _, failures in rows}),
    )


def counted_sums(chain: Chain, names: list[str]) -> Sums:
    """Return requests and failures by route, as the control database counted them."""
    requests: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for name in names:
        for tally in chain.counts.tallies(Run(name, REVISION)):
            block = [] if tally.block == NO_BLOCK else [str(tally.block)]
            route = "/".join([name, tally.arm, *block])
            requests[route] += tally.requests
            failures[route] += tally.errors
    return requests, failures


def people_and_goals(chain: Chain, life: Life) -> tuple[int, int]:
    """Return how many people were compared, and how many of them reached the goal, once all are closed."""
    name = life.policy.name
    closing = Closing(WINDOW_US, 0, chain.clock.now_us + 2 * WINDOW_US)
    found = Lake(chain.lake, threads=1).binary(Run(name, REVISION), goal_of(name), closing).values()
    return sum(one.units for one in found), sum(one.successes for one in found)
