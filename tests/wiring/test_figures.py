"""The metrics of a control plane that runs, asked as a server of metrics asks, move with what happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from rollout.agent.spool import Spool
from rollout.agent.terms import Terms
from rollout.controller.reconcile import pass_by
from rollout.domain.judge import Patience
from rollout.envoy.bootstrap import Address
from rollout.lake.segments import content_digest
from rollout.store.database import Database
from rollout.wiring.candidates import Alone
from rollout.wiring.control import Given, Place, open_control
from tests.api.control import POLICY
from tests.e2e.models import free_port
from tests.intake.house import LOG, segment
from tests.lake.histories import as_lines, request_at

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


def test_what_nodes_hand_in_and_lose_is_counted_by_table(tmp_path: Path) -> None:
    body = segment(as_lines([request_at(0), request_at(1)]))
    place = f"/v1/segments/exposures/node-1/{LOG}"

    def handed_in(content: bytes, start: int, end: int) -> int:
        headers = {"content-digest": content_digest(content)}
        return http.post(
            place, params={"start": start, "end": end}, content=content, headers=headers
        ).status_code

    lost = {
        "kind": "outcomes",
        "experiment": "",
        "revision": 0,
        "rows": 7,
        "bytes": 70,
        "from_us": 1,
        "to_us": 2,
    }
    with control_plane(tmp_path) as http:
        assert shown(http)["rollout_intake_rows_total[('kind', 'exposures')]"] == 0
        assert [handed_in(body, 0, 90), handed_in(body, 5, 9), handed_in(b"no rows", 90, 99)] == [
            200,
            409,
            422,
        ]
        assert http.put("/v1/nodes/node-1/losses", json=[lost]).status_code == httpx.codes.NO_CONTENT
        found = shown(http)
    exposures = "('kind', 'exposures')"
    assert found[f"rollout_intake_rows_total[{exposures}]"] == 2
    assert found[f"rollout_intake_bytes_total[{exposures}]"] == len(body)
    for became in ("filed", "refused", "out_of_turn"):
        assert found[f"rollout_intake_segments_total[('became', '{became}'), {exposures}]"] == 1
    assert found["rollout_lost_rows[('kind', 'outcomes'), ('node', 'node-1')]"] == 7


def test_a_spool_knows_how_much_its_files_hold_and_how_much_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "outcomes.log")
    (tmp_path / "outcomes.log.0000000000000001.00").write_bytes(b"rotated")
    try:
        asyncio.run(spool.append(b"a line\n"))
        assert (spool.nbytes, spool.waiting_bytes) == (14, 0)
    finally:
        spool.close()
