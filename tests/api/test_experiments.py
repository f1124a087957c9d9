"""The routes about experiments over real HTTP: what each answers, and how each refusal is worded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from rollout.client.answers import MAXIMUM_POLICY_BYTES, PROBLEM
from rollout.domain.decision import Reason
from rollout.domain.experiment import Phase
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.api.control import POLICY, START_US, TOKEN, house, look, policy
from tests.domain.scenes import evidence

EXPERIMENTS = "/v1/experiments"
SECOND = policy(churn_v2="other", churn_2026q4="other-salt").replace("path: /churn", "path: /other")


@dataclass(frozen=True)
class Caller:
    """A caller with the token, and the house that answers."""

    http: httpx.Client
    ledger: SqlLedger
    database: Database
    changes: list[int]

    def start(self, text: str = POLICY) -> httpx.Response:
        return self.http.post(EXPERIMENTS, params={"file": "churn.yaml"}, content=text)


@pytest.fixture(name="caller")
def _caller(tmp_path: Path) -> Iterator[Caller]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with (
        house(tmp_path) as served,
        httpx.Client(base_url=served.url, trust_env=False, headers=headers) as http,
    ):
        yield Caller(http, served.ledger, served.database, served.changes)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the one problem of a refusal, after a look at its shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert body["status"] == status
    first: dict[str, Any] = body["problems"][0]
    assert body["detail"] == f"{first['where']}: {first['what']}; {first['remedy']}"
    return first


def move(caller: Caller, **changes: Any) -> None:  # noqa: ANN401 (fields of an experiment)
    """Put the first run somewhere else."""
    run = caller.ledger.runs()[0]
    assert caller.ledger.record(run, replace(run.experiment, **changes), None)


def test_a_start_is_created_once(caller: Caller) -> None:
    first, second = caller.start(), caller.start(f"# a comment changes nothing\n{POLICY}")
    assert (first.status_code, second.status_code) == (201, 200)
    assert (first.json()["is_new"], second.json()["is_new"]) == (True, False)
    experiment = first.json()["experiment"]
    assert experiment == second.json()["experiment"]
    assert (experiment["name"], experiment["phase"], experiment["step"]) == ("churn-v2", "running", 1)
    assert experiment["step_weights_bp"] == [100, 1000, 5000]
    assert experiment["weight_bp"] == 100
    assert experiment["decision"] is None


def test_many_starts_at_once_start_one(caller: Caller) -> None:
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda _: caller.start().status_code, range(16)))
    assert sorted(codes) == [200] * 15 + [201]
    assert len(caller.ledger.runs()) == 1


def test_a_change_that_no_evidence_rests_on_takes_effect_at_once(caller: Caller) -> None:
    caller.start()
    move(caller, latches={"converted": 3.0})
    changed = caller.start(POLICY.replace("owner: growth-ml", "owner: others"))
    assert (changed.status_code, changed.json()["change"]) == (200, "at-once")
    assert changed.json()["experiment"]["owner"] == "others"
    run = caller.ledger.runs()[0].experiment
    assert (run.policy.owner, run.revision, run.latches) == ("others", 1, {"converted": 3.0})
    assert len(caller.changes) == 2
    again = caller.start(POLICY.replace("owner: growth-ml", "owner: others")).json()
    assert (again["is_new"], again["change"]) == (False, None)


def test_any_other_change_begins_a_revision_of_the_same_run(caller: Caller) -> None:
    uid = caller.start().json()["experiment"]["uid"]
    move(caller, step=1, latches={"converted": 3.0})
    changed = caller.start(POLICY.replace("12h", "6h")).json()
    assert (changed["is_new"], changed["change"]) == (False, "new-revision")
    found = changed["experiment"]
    assert (found["uid"], found["revision"], found["step"], found["phase"]) == (uid, 2, 1, "running")
    run = caller.ledger.runs()[0].experiment
    assert (run.revision, run.latches, run.policy.steps[1].hold.for_s) == (2, {}, 6 * 3600)
    assert len(caller.changes) == 2


@pytest.mark.parametrize(
    ("phase", "change", "what", "remedy"),
    [
        (
            Phase.RUNNING,
            ("salt: churn-2026q4", "salt: other"),
            "its salt differs",
            "keep the salt 'churn-2026q4'",
        ),
        (Phase.RUNNING, ('"1.4.2"', '"1.4.1"'), "its baseline is not", "name 1.4.2 as the baseline"),
        (Phase.PROMOTING, ("12h", "6h"), "only what is on trial", "rollout rollback churn-v2"),
    ],
)
def test_a_policy_that_its_run_cannot_go_on_under_is_a_conflict(
    phase: Phase, change: tuple[str, str], what: str, remedy: str, caller: Caller
) -> None:
    caller.start()
    move(caller, phase=phase)
    assert change[0] in POLICY
    found = problem(caller.start(POLICY.replace(*change)), 409)
    assert found["where"] == "churn-v2"
    assert f"it is {phase} with another policy, as revision 1: {what}" in found["what"]
    assert remedy in found["remedy"]
    assert caller.ledger.runs()[0].experiment.revision == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (SECOND.replace("path: /other", "path: /churn"), "2 experiments have this path"),
        (SECOND.replace("other-salt", "churn-2026q4"), "churn-v2 has the salt 'churn-2026q4' too"),
    ],
)
def test_what_cannot_run_beside_another_is_a_conflict(text: str, what: str, caller: Caller) -> None:
    caller.start()
    assert problem(caller.start(text), 409)["what"] == what
    assert caller.start(SECOND).status_code == 201


def test_every_finding_of_a_policy_is_named(caller: Caller) -> None:
    response = caller.start(
        POLICY.replace("minEffect", "minEfect").replace("wrongPromotion", "wrongPromotio")
    )
    problem(response, 422)
    found = {one["where"]: (one["what"], one["remedy"]) for one in response.json()["problems"]}
    assert len(found) >= 2
    assert any(where.startswith("churn.yaml:") and "minEfect" in where for where in found)
    assert any("did you mean 'wrongPromotion'?" in remedy for _, remedy in found.values())


def test_what_is_no_policy_is_refused(caller: Caller) -> None:
    for content, status in ((b"\xff", 422), (b"a: " * MAXIMUM_POLICY_BYTES, 413), (b"", 422)):
        response = caller.http.post(EXPERIMENTS, content=content)
        assert response.status_code == status
        assert response.headers["content-type"] == PROBLEM


def test_an_ended_run_can_be_started_again_but_a_promoted_one_is_done(caller: Caller) -> None:
    uid = caller.start().json()["experiment"]["uid"]
    move(caller, phase=Phase.ROLLED_BACK)
    again = caller.start()
    assert again.status_code == 201
    assert again.json()["experiment"]["uid"] != uid
    move(caller, phase=Phase.PROMOTED)
    assert caller.start().status_code == 200
    found = problem(caller.start(POLICY.replace("12h", "6h")), 409)
    assert found["remedy"] == "name 2.0.0 as the baseline"


def test_the_list_is_in_order_of_the_starts(caller: Caller) -> None:
    assert caller.http.get(EXPERIMENTS).json() == {"experiments": [], "next_after": None}
    caller.start(SECOND)
    caller.start()
    names = [run["name"] for run in caller.http.get(EXPERIMENTS).json()["experiments"]]
    assert names == ["other", "churn-v2"]


def test_where_a_run_stands_with_the_numbers_it_rests_on(caller: Caller) -> None:
    caller.start()
    look(caller.ledger, "churn-v2", Reason.STEP_PASSED)
    look(caller.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    look(caller.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    found = caller.http.get(f"{EXPERIMENTS}/churn-v2").json()
    assert (found["step"], found["weight_bp"]) == (2, 1000)
    decision = found["decision"]
    assert (decision["action"], decision["reason"]) == ("hold", "STEP_UNFINISHED")
    assert decision["sentence"] == Reason.STEP_UNFINISHED.meaning
    assert decision["number"] == 3
    assert decision["since"] < decision["at"]
    verdicts = {verdict["metric"]: verdict for verdict in found["look"]["verdicts"]}
    assert set(verdicts) == {"converted", "errors", "p99", "fallback"}
    assert verdicts["converted"]["finding"] == "better"
    assert verdicts["converted"]["proof"] == 1.0
    assert verdicts["converted"]["scale"] == "lift"
    assert verdicts["p99"]["limit"] == 0.01
    low, high = verdicts["converted"]["interval"]
    assert low < verdicts["converted"]["estimate"] < high


def test_harm_is_shown_as_the_way_to_its_bar(caller: Caller) -> None:
    caller.start()
    look(caller.ledger, "churn-v2", Reason.METRIC_HARMED, evidence(errors=0.2), "errors")
    found = caller.http.get(f"{EXPERIMENTS}/churn-v2").json()
    assert (found["phase"], found["weight_bp"], found["has_ended"]) == ("rolling-back", 0, False)
    errors = next(one for one in found["look"]["verdicts"] if one["metric"] == "errors")
    assert (errors["finding"], errors["harm"]) == ("harmed", 1.0)


def test_history_in_pages(caller: Caller) -> None:
    caller.start()
    for _ in range(5):
        look(caller.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    history = f"{EXPERIMENTS}/churn-v2/history"
    page = caller.http.get(history, params={"limit": 2}).json()
    assert ([entry["number"] for entry in page["entries"]], page["next_after"], page["total"]) == (
        [1, 2],
        2,
        5,
    )
    rest = caller.http.get(history, params={"after": 2}).json()
    assert ([entry["number"] for entry in rest["entries"]], rest["next_after"]) == ([3, 4, 5], None)
    assert rest["entries"][0]["look"]["units_in_step"] == [20_000, 20_000]


def test_a_page_has_limits(caller: Caller) -> None:
    caller.start()
    for query in ("limit=0", "limit=501", "after=-1", "limit=many"):
        found = problem(caller.http.get(f"{EXPERIMENTS}/churn-v2/history?{query}"), 422)
        assert found["where"] == f"query.{query.partition('=')[0]}"


def test_an_unknown_name_gets_the_nearest(caller: Caller) -> None:
    caller.start()
    for method, path in (("GET", ""), ("GET", "/history"), ("GET", "/report")):
        found = problem(caller.http.request(method, f"{EXPERIMENTS}/chrun-v2{path}"), 404)
        assert (found["where"], found["remedy"]) == ("chrun-v2", "did you mean 'churn-v2'?")
    assert "rollout status" in problem(caller.http.get(f"{EXPERIMENTS}/xyzzy"), 404)["remedy"]


def test_a_rollback_is_wished_once(caller: Caller) -> None:
    caller.start()
    place = f"{EXPERIMENTS}/churn-v2/rollback"
    first = caller.http.post(place, json={"who": " anna ", "why": "wrong answers"})
    second = caller.http.post(place, json={"who": "ben", "why": "me too"})
    assert (first.status_code, second.status_code) == (202, 200)
    wish = second.json()["experiment"]["rollback_wish"]
    assert (wish["who"], wish["why"]) == ("anna", "wrong answers")
    standing = caller.ledger.runs()[0].experiment.rollback_wish
    assert standing is not None
    assert (standing.who, standing.at_us) == ("anna", START_US)


def test_many_rollbacks_at_once_are_one_wish(caller: Caller) -> None:
    caller.start()
    place = f"{EXPERIMENTS}/churn-v2/rollback"
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(
            lambda number: caller.http.post(place, json={"who": f"p{number}", "why": "now"}).status_code,
            range(8),
        )
    assert sorted(answers) == [200] * 7 + [202]


def test_what_has_ended_cannot_be_rolled_back(caller: Caller) -> None:
    caller.start()
    move(caller, phase=Phase.PROMOTED)
    found = problem(caller.http.post(f"{EXPERIMENTS}/churn-v2/rollback", json={"who": "a", "why": "b"}), 409)
    assert found["what"] == "it has ended as promoted"
    assert found["remedy"] == "start a policy that leads from 2.0.0 to 1.4.2"
    move(caller, phase=Phase.ROLLED_BACK)
    response = caller.http.post(f"{EXPERIMENTS}/churn-v2/rollback", json={"who": "a", "why": "b"})
    assert (response.status_code, response.json()["is_new"]) == (200, False)


def test_the_loop_hears_of_what_people_change_and_of_nothing_else(caller: Caller) -> None:
    caller.start()
    assert len(caller.changes) == 1
    caller.start()
    caller.http.get(f"{EXPERIMENTS}/churn-v2")
    assert len(caller.changes) == 1
    asked = {"who": "ada", "why": "support is overwhelmed"}
    for _ in range(2):
        caller.http.post(f"{EXPERIMENTS}/churn-v2/rollback", json=asked)
    assert len(caller.changes) == 2


def test_a_rollback_needs_a_reason(caller: Caller) -> None:
    caller.start()
    for body, where in (
        ("{}", "why"),
        ('{"who": "a", "why": " "}', "why"),
        ('{"who": "a", "why": "b", "wyh": "c"}', "wyh"),
        (json.dumps({"who": "a" * 201, "why": "b"}), "who"),
        ("[", "body"),
    ):
        response = caller.http.post(f"{EXPERIMENTS}/churn-v2/rollback", content=body)
        assert problem(response, 422)["where"] == where


def test_a_report_in_each_format(caller: Caller) -> None:
    caller.start()
    kinds = {"html": "text/html", "markdown": "text/markdown", "json": "application/json"}
    for form, kind in kinds.items():
        response = caller.http.get(f"{EXPERIMENTS}/churn-v2/report", params={"format": form})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(kind)


def test_nothing_without_the_token(caller: Caller) -> None:
    caller.start()
    del caller.http.headers["authorization"]
    places = [("POST", ""), ("GET", ""), ("GET", "/churn-v2"), ("GET", "/churn-v2/history")]
    places += [("POST", "/churn-v2/rollback"), ("GET", "/churn-v2/report")]
    for method, path in places:
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}):
            response = caller.http.request(method, f"{EXPERIMENTS}{path}", headers=header)
            assert response.status_code == 401
            assert response.headers["content-type"] == PROBLEM
            assert response.headers["www-authenticate"] == "Bearer"


def test_health_needs_no_token(caller: Caller) -> None:
    del caller.http.headers["authorization"]
    assert caller.http.get("/healthz").status_code == 200
    assert caller.http.get("/readyz").json() == {"status": "ready", "problems": 0}


def test_a_run_that_cannot_be_read_is_named_and_nothing_starts_beside_it(caller: Caller) -> None:
    caller.start()
    assert caller.start(SECOND).status_code == 201
    with caller.database.write() as connection:
        connection.exec_driver_sql("UPDATE experiment SET state = '{}' WHERE name = 'other'")
    assert caller.http.get("/readyz").json() == {"status": "ready", "problems": 1}
    assert [one["name"] for one in caller.http.get(EXPERIMENTS).json()["experiments"]] == ["churn-v2"]
    assert "start that one again" in problem(caller.http.get(f"{EXPERIMENTS}/other"), 503)["remedy"]
    assert caller.http.get(f"{EXPERIMENTS}/churn-v2").status_code == 200
    third = SECOND.replace("other", "third")
    assert "(other)" in problem(caller.start(third), 503)["where"]
    wanted = caller.http.post(f"{EXPERIMENTS}/churn-v2/rollback", json={"who": "ann", "why": "it is wrong"})
    assert wanted.status_code == 202


def test_a_defect_is_a_sentence_and_not_ready(caller: Caller) -> None:
    with caller.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE experiment")
    with capture_logs() as logs:
        response = caller.http.get(EXPERIMENTS)
    assert problem(response, 500)["what"] == "stopped by a defect of ours"
    assert "SELECT" not in response.text
    assert problem(caller.http.get("/readyz"), 503)["what"] == "not ready"
    assert [(log["event"], log["path"]) for log in logs] == [("unexpected problem", EXPERIMENTS)]
