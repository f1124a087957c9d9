"""What became of messages, as `rollout status NAME` says it."""

from __future__ import annotations

from datetime import UTC, datetime

from rollout.cli.told import told
from rollout.client.notifications import DeliveryAnswer

AT = datetime(2026, 10, 9, 8, 0, tzinfo=UTC)
STARTED = DeliveryAnswer(
    number=1,
    id="a1b2c3d4.1.ml",
    receiver="ml",
    experiment="churn-v2",
    at=AT,
    title="churn-v2: started (@\u200bhere)",
    state="pending",
    tries=0,
    next_at=AT,
)


def changed(**changes: object) -> DeliveryAnswer:
    return STARTED.model_copy(update=changes)


def test_each_fate_is_one_line() -> None:
    lines = [
        STARTED,
        changed(tries=2, problem="it answered 500"),
        changed(state="sent", ended_at=AT, next_at=None),
        changed(state="gave-up", ended_at=AT, next_at=None, tries=20, problem="it answered 404"),
        changed(state="withdrawn", ended_at=AT, next_at=None),
    ]
    assert list(told(lines)) == [
        "  ml: churn-v2: started (@here), to be sent at 2026-10-09 08:00:00",
        "  ml: churn-v2: started (@here), to be sent at 2026-10-09 08:00:00, because it answered 500 (try 2)",
        "  ml: churn-v2: started (@here), sent at 2026-10-09 08:00:00",
        "  ml: churn-v2: started (@here), given up at 2026-10-09 08:00:00 after 20 tries: it answered 404",
        "  ml: churn-v2: started (@here), not told: it passed before it had lasted",
    ]
