"""What is asked of the lake, by us and by those who read all of it: five sums of closed units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.evidence.lake import BEGIN_US, LIMIT_US, RUN
from rollout.domain.metric import MetricType
from rollout.lake.accounts.accounts import Accounts
from rollout.lake.accounts.asked import Asked, Counter, Told, Trouble, Window
from rollout.lake.accounts.outcomes import Outcomes

SHORT: Final = Window(600_000_000, 600_000_000)
LONG: Final = Window(86_400_000_000, 600_000_000)
ASKED: Final = Asked(
    run=RUN,
    since_us=BEGIN_US,
    arms=2,
    blocks=(1, 2),
    counters=(
        Counter("errors", SHORT, Trouble.ERROR),
        Counter("p99", SHORT, (LIMIT_US, LIMIT_US)),
        Counter("fallback", SHORT, Trouble.FALLBACK),
    ),
    told=(
        Told("bought", LONG, MetricType.BINARY, ("bought",)),
        Told("revenue", LONG, MetricType.MEAN, ("revenue",)),
    ),
)
Sums = dict[str, tuple[int, ...]]
"""By metric: units, units that are not zero, Σ of the first column, Σ of its squares."""


def answered(accounts: Accounts, _outcomes: Mapping[str, Outcomes], watermark_us: int) -> Sums:
    """Return the sums over all days, blocks and arms, after everything that a look asks."""
    accounts.enrolled(watermark_us - LONG.window_us)
    found = {one.name: accounts.closed(one.name, watermark_us) for one in ASKED.everything}
    return {
        name: (
            int(one.units.sum()),
            int(one.nonzero.sum()),
            int(one.totals[..., 0].sum()),
            int(one.products[..., 0, 0].sum()),
        )
        for name, one in found.items()
    }
