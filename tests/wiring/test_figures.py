"""The metrics of a control plane that runs, asked as a server of metrics asks, move with what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from rollout.agent.terms import Terms
from rollout.controller.reconcile import pass_by
from rollout.domain.judge import Patience
from rollout.envoy.bootstrap import Address
from rollout.store.database import Database
from rollout.wiring.candidates import Alone
from rollout.wiring.control import Given, Place, open_control
from tests.api.control import POLICY
from tests.e2e.models import free_port

WITHIN_S = 60.0


@contextmanager
def control_plane(folder: Path) -> Iterator[httpx.Client]:
    """Run a control plane without a node, and yield what asks it as its owner."""
    place = Place(folder, folder / "lake", Address(free_port()))
    database = Database.writer(folder / "control.db")
    given = Given(Patience(), Terms(), pass_by, lambda _: None)
    try:
        with open_control(place, Alone(database), given, option="--port"):
            headers = {"authorization": f"Bearer {place.token_file.read_text().strip()}"}
            with httpx.Client(base_url=place.url, headers=headers, trust_env=False, timeout=30.0) as http:
                yield http
    finally:
        database.close()


def shown(http: httpx.Client) -> Mapping[str, float]:
    """Return every sample as it is written, with its labels."""
    answer = http.get("/metrics").raise_for_status()
    return {
        f"{one.name}{sorted(one.labels.items()) or ''}": one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }


def until(http: httpx.Client, holds: Callable[[Mapping[str, float]], bool]) -> Mapping[str, float]:
    """Ask until something holds or it is too late; return what was shown last."""
    deadline = time.monotonic() + WITHIN_S
    while not holds(found := shown(http)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_looks_at_a_run_are_seen_to_be_made_in_time_and_counted_once(tmp_path: Path) -> None:
    with control_plane(tmp_path) as http:
        before = shown(http)
        assert before["rollout_tick_seconds_count"] == before["rollout_runs_served"] == 0
        begun = http.post("/v1/experiments", content=POLICY, headers={"idempotency-key": "once"})
        assert begun.status_code == httpx.codes.CREATED, begun.text
        found = until(http, lambda now: now["rollout_tick_seconds_count"] >= 2)
        later = until(
            http, lambda now: now["rollout_tick_seconds_count"] > found["rollout_tick_seconds_count"]
        )
    assert found["rollout_runs_served"] == 1
    assert found["rollout_tick_seconds_count"] >= 2
    assert later["rollout_tick_seconds_count"] > found["rollout_tick_seconds_count"]
    assert later["rollout_tick_seconds_sum"] > found["rollout_tick_seconds_sum"] > 0
    assert later["rollout_tick_lag_seconds_count"] >= later["rollout_tick_seconds_count"]
    assert found["rollout_ledger_failures"] == found["rollout_unread_sources"] == 0
    decided = sum(value for name, value in later.items() if name.startswith("rollout_decisions_total"))
    assert 0 < decided <= later["rollout_tick_seconds_count"]
