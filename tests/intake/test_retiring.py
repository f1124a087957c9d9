"""Details of ended runs are dropped; while one run cannot be read, nobody knows whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rollout.errors import Problem
from rollout.intake.retiring import Retiring
from rollout.ports import Standing, Unread
from tests.intake.house import NOW_US, built, hand_in
from tests.intake.test_evidence import experiment
from tests.lake.histories import LIMIT_US, RUN, request_at

RUNNING = Standing(experiment(), 1)
NEXT = Standing(replace(experiment(), revision=RUN.revision + 1), 1)
UNREAD = Unread("b2", "another", Problem("the ledger", "a row cannot be read", "mend it"))
HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("served", "later_us", "is_kept"),
    [
        ([RUNNING], 2 * HOUR_US, True),
        ([NEXT], 0, True),
        ([NEXT], 2 * HOUR_US, False),
        ([], 2 * HOUR_US, False),
        ([NEXT, UNREAD], 2 * HOUR_US, True),
    ],
)
def test_only_what_no_served_run_needs_is_dropped(
    served: Sequence[Standing | Unread], later_us: int, *, is_kept: bool
) -> None:
    with built() as house:
        house.counts.register(RUN, "p99", limit_us=LIMIT_US, share=0.01)
        hand_in(house.intake, [request_at(0, code=500)])
        Retiring(house.counts, lambda: served, now_us=lambda: NOW_US + later_us).once()
        assert bool(house.counts.error_totals(RUN)) == bool(house.counts.thresholds()) == is_kept
        assert house.counts.request_totals(RUN) == {"control": (1, 1)}
