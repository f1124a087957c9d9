"""The metrics: what happened is counted once, labels are bounded, and the page is the registry's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rollout.api.figures import FeedFigure, NodeFigure, ReceiverFigure, Sources
from rollout.api.metrics import Metrics
from rollout.api.record_figures import SpoolFigure
from rollout.controller.figures import Counted, Figures
from rollout.controller.reconcile import Tick
from rollout.domain.decision import Decision, Reason
from rollout.errors import Problem, Retry
from rollout.intake.figures import Taken
from rollout.lake.segments import Kind
from tests.api.whole import Whole, whole
from tests.command import ROOT
from tests.domain.scenes import EXPERIMENT

HEAD = "| metric | type | labels | what it says |\n|---|---|---|---|\n"


def busy_loop() -> Figures:
    """Return the figures of a loop that looked three times and is at it."""
    counted = Counted(refused=4)
    for seconds, lag_s in ((0.002, 0.0), (0.2, 0.03), (99.0, 5.0)):
        counted.began(lag_s)
        counted.ended(seconds, is_well=seconds < 1)
    return counted.figures([0.5, 7.0], [3.0], runs=9, ledger_failures=2)


FULL = Sources(
    runs=lambda: [EXPERIMENT],
    nodes=lambda: [NodeFigure("node-1", is_live=True, is_silent=False, heard_s=1.0)],
    feeds=lambda: [FeedFigure("node-1", "exposures", 2.0, 3)],
    receivers=lambda: [ReceiverFigure("leads", 1, 0, 2, 0)],
    loop=busy_loop,
    intake=lambda: [Taken(Kind.EXPOSURES, 5, 700, 9_000, 1, 2)],
    lost=lambda: {("outcomes", "node-1"): 40},
    spool=lambda: SpoolFigure(is_writable=True, nbytes=123, waiting_bytes=45),
)


def looking_up(sources: Sources) -> Metrics:
    metrics = Metrics()
    metrics.look_up(sources)
    return metrics


@pytest.fixture(name="there")
def _there(tmp_path: Path) -> Iterator[Whole]:
    with whole(tmp_path) as served:
        yield served


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_answers_are_counted_by_their_route_as_it_is_written(there: Whole) -> None:
    headers = {"authorization": f"Bearer {there.secrets['viewer']}"}
    with httpx.Client(base_url=there.url, trust_env=False, headers=headers) as http:
        for name in ("churn-v2", "nobody", "somebody"):
            http.get(f"/v1/experiments/{name}")
        http.get("/no/such/place")
        http.request("BREW", "/v1/experiments")
        answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = samples(answer.text)
    run = (("method", "GET"), ("route", "/v1/experiments/{name}"))
    assert found["rollout_api_requests_total", (*run, ("status", "200"))] == 1
    assert found["rollout_api_requests_total", (*run, ("status", "404"))] == 2
    assert found["rollout_api_request_seconds_count", run] == 3
    gone = (("method", "GET"), ("route", "unmatched"), ("status", "404"))
    assert found["rollout_api_requests_total", gone] == 1
    assert "nobody" not in answer.text
    assert "BREW" not in answer.text
    assert found["rollout_runs", (("phase", "running"),)] == 1
    assert found["rollout_runs", (("phase", "paused"),)] == 0
    assert found["rollout_run_step", (("policy", "churn-v2"),)] == 1


def test_outcomes_are_counted_by_what_became_of_them(there: Whole) -> None:
    headers = {"authorization": f"Bearer {there.secrets['app']}"}
    good = {"unit": "ada", "metric": "bought", "ts_us": there.clock(), "value": 1}
    told = httpx.post(
        f"{there.url}/v1/outcomes", json=[good, {**good, "value": 7}], headers=headers, trust_env=False
    )
    assert told.json()["accepted"] == 1
    viewer = {"authorization": f"Bearer {there.secrets['viewer']}"}
    found = samples(httpx.get(f"{there.url}/metrics", headers=viewer, trust_env=False).text)
    assert found["rollout_outcomes_total", (("became", "accepted"),)] == 1
    assert found["rollout_outcomes_total", (("became", "refused"),)] == 1


def test_looks_are_counted_by_reason_and_failures_by_kind() -> None:
    metrics = Metrics()
    late = Retry(Problem("prometheus", "no answer", "wait"))
    tick = Tick(EXPERIMENT, 1, Decision(Reason.STEP_UNFINISHED), was_overtaken=False, problems=(late,))
    assert metrics.noting(lambda _uid, _now: tick)("uid", 1) is tick

    def broken(_uid: str, _now_us: int) -> Tick | None:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        metrics.noting(broken)("uid", 1)
    found = samples(metrics.text().decode())
    assert found["rollout_decisions_total", (("action", "hold"), ("reason", "STEP_UNFINISHED"))] == 1
    assert found["rollout_tick_failures_total", (("kind", "Retry"),)] == 1
    assert found["rollout_tick_failures_total", (("kind", "KeyError"),)] == 1


def test_what_the_loop_knows_of_its_looks_is_shown_and_histograms_add_up() -> None:
    found = samples(looking_up(Sources(loop=busy_loop)).text().decode())
    ends = {
        dict(labels)["le"]: count
        for (name, labels), count in found.items()
        if name == "rollout_tick_seconds_bucket"
    }
    assert (ends["0.005"], ends["0.1"], ends["0.25"], ends["30"], ends["+Inf"]) == (1, 1, 2, 2, 3)
    assert list(ends.values()) == sorted(ends.values())
    assert found["rollout_tick_seconds_count", ()] == 3
    assert found["rollout_tick_seconds_sum", ()] == pytest.approx(99.202)
    assert found["rollout_tick_lag_seconds_bucket", (("le", "5"),)] == 3
    assert found["rollout_tick_lag_seconds_sum", ()] == pytest.approx(5.03)
    told = {
        "ticks_failed_total": 1,
        "ticks_refused_total": 4,
        "ticks_due": 1,
        "ticks_running": 2,
        "tick_oldest_due_seconds": 3,
        "tick_longest_running_seconds": 7,
        "runs_served": 9,
        "ledger_failures": 2,
    }
    assert {name: found[f"rollout_{name}", ()] for name in told} == told


def test_records_on_their_way_are_shown_by_table_and_node() -> None:
    found = samples(looking_up(FULL).text().decode())
    kind, node = ("kind", "exposures"), ("node", "node-1")
    told = {
        ("rollout_intake_segments_total", (("became", "filed"), kind)): 5,
        ("rollout_intake_segments_total", (("became", "refused"), kind)): 1,
        ("rollout_intake_segments_total", (("became", "out_of_turn"), kind)): 2,
        ("rollout_intake_rows_total", (kind,)): 700,
        ("rollout_intake_bytes_total", (kind,)): 9_000,
        ("rollout_lost_rows", (("kind", "outcomes"), node)): 40,
        ("rollout_outcome_spool_writable", ()): 1,
        ("rollout_outcome_spool_bytes", ()): 123,
        ("rollout_outcome_spool_waiting_bytes", ()): 45,
    }
    assert {name: found[name] for name in told} == told


def test_without_a_node_of_its_own_a_control_plane_says_nothing_of_a_spool() -> None:
    assert not any("spool" in name for name, _ in samples(looking_up(Sources()).text().decode()))


def test_a_source_that_is_away_takes_no_other_with_it() -> None:
    def away() -> list[NodeFigure]:
        raise OSError("the database is away")

    found = samples(looking_up(Sources(nodes=away)).text().decode())
    assert found["rollout_unread_sources", ()] == 1
    assert found["rollout_runs", (("phase", "running"),)] == 0
    assert not any(name == "rollout_nodes" for name, _ in found)


def test_two_houses_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.told(1, 0)
    assert samples(other.text().decode())["rollout_outcomes_total", (("became", "accepted"),)] == 0


def test_the_page_is_the_registrys_own(*, update_golden: bool) -> None:
    metrics = looking_up(FULL)
    tick = Tick(EXPERIMENT, 1, Decision(Reason.PAUSED), was_overtaken=True, problems=(OSError("away"),))
    metrics.noting(lambda _uid, _now: tick)("uid", 1)
    metrics.requests.labels("GET", "/healthz", "200").inc()
    metrics.request_seconds.labels("GET", "/healthz").observe(0.1)
    rows = []
    for family in metrics.registry.collect():
        labels = {label for one in family.samples for label in one.labels} - {"le"}
        shown = ", ".join(f"`{label}`" for label in sorted(labels)) or "–"
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append(f"| `{name}` | {family.type} | {shown} | {family.documentation} |\n")
    table = HEAD + "".join(rows)
    file = ROOT / "docs" / "metrics.md"
    page = file.read_text(encoding="utf-8")
    before, after = page.partition(HEAD)[0], page.partition(HEAD)[2].partition("\n\n")[2]
    if update_golden:
        file.write_text(f"{before}{table}\n{after}", encoding="utf-8")
    assert table in file.read_text(encoding="utf-8")
