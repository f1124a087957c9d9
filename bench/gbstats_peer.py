"""Times gbstats in its own environment: sums on standard input, microseconds per metric out."""

from __future__ import annotations

import json
import sys
import time

from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest
from gbstats.models.statistics import SampleMeanStatistic

ROUNDS = 5


def look(arms: list[list[list[float]]]) -> None:
    """Run two sequential tests a metric, as a look of rollout does."""
    for control, candidate in zip(zip(*arms[0], strict=True), zip(*arms[1], strict=True), strict=True):
        one, other = (SampleMeanStatistic(n=int(n), sum=s, sum_squares=q) for n, s, q in (control, candidate))
        for value in (-0.05, 0.05):
            config = SequentialConfig(difference_type="relative", test_value=value)
            SequentialTwoSidedTTest(one, other, config).compute_result()


def main() -> None:
    """Print the fastest of several rounds."""
    arms = json.load(sys.stdin)
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        look(arms)
        best = min(best, time.perf_counter() - start)
    print(best / len(arms[0][0]) * 1e6)


main()
