"""Every verb of a person over HTTP: recorded once, refused with what to do, never overruling in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout.controller.sights import Sight
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import Patience, judge
from rollout.domain.wish import Approval, Asked
from rollout.store.ledger import SqlLedger
from tests.api.control import POLICY, TOKEN, house
from tests.api.test_experiments import problem
from tests.domain.scenes import NOW_US, evidence

PLACE = "/v1/experiments/churn-v2"
WHY = {"who": "anna", "why": "it is time"}


@dataclass
class Seen:
    """What the newest look found, as a test wants it."""

    found: Evidence | None = None

    def __call__(self, run: Experiment) -> Sight | None:
        if self.found is None:
            return None
        known = replace(self.found, watermark_us=NOW_US, fast_watermark_us=NOW_US)
        return Sight(NOW_US, run, known, judge(run, known, NOW_US, Patience()))


@dataclass(frozen=True)
class Asking:
    """A caller of one run that has begun."""

    http: httpx.Client
    ledger: SqlLedger
    seen: Seen
    clock: Callable[[], int]

    def ask(self, verb: str, **said: Any) -> httpx.Response:  # noqa: ANN401 (a body of any shape)
        return self.http.post(f"{PLACE}/{verb}", json={**WHY, **said})

    def move(self, **changes: Any) -> None:  # noqa: ANN401 (fields of an experiment)
        run = self.ledger.runs()[0]
        assert self.ledger.record(run, replace(run.experiment, **changes), None)

    @property
    def run(self) -> Experiment:
        return self.ledger.runs()[0].experiment


@pytest.fixture(name="asking")
def _asking(tmp_path: Path) -> Iterator[Asking]:
    headers, seen = {"authorization": f"Bearer {TOKEN}"}, Seen()
    with (
        house(tmp_path, sight=seen) as served,
        httpx.Client(base_url=served.url, trust_env=False, headers=headers) as http,
    ):
        assert http.post("/v1/experiments", content=POLICY).status_code == 201
        served.clock.now_us = NOW_US
        yield Asking(http, served.ledger, seen, served.clock)


FITTING = {
    Asked.PAUSE: Phase.RUNNING,
    Asked.RESUME: Phase.PAUSED,
    Asked.ADVANCE: Phase.RUNNING,
    Asked.PROMOTE: Phase.RUNNING,
    Asked.RETRY: Phase.ACTION_FAILED,
    Asked.STOP: Phase.RUNNING,
    Asked.RETIRE: Phase.STOPPED,
}


def test_every_verb_has_its_phase_here() -> None:
    assert FITTING.keys() | {Asked.ROLLBACK, Asked.APPROVE} == set(Asked)


@pytest.mark.parametrize("kind", FITTING, ids=str)
def test_a_wish_is_recorded_once_and_shown_until_it_is_answered(kind: Asked, asking: Asking) -> None:
    asking.move(phase=FITTING[kind])
    said = {"override": True} if kind in {Asked.ADVANCE, Asked.PROMOTE} else {}
    first, second = asking.ask(kind, **said), asking.ask(kind, **said)
    assert (first.status_code, second.status_code) == (202, 200), first.text
    assert (first.json()["is_new"], second.json()["is_new"]) == (True, False)
    wish = asking.run.wish
    assert wish is not None
    assert (wish.kind, wish.who, wish.why, wish.at_us) == (kind, "anna", "it is time", NOW_US)
    assert second.json()["experiment"]["wish"]["kind"] == kind
    assert asking.run.phase is FITTING[kind], "only a decision moves a run"


@pytest.mark.parametrize("kind", FITTING, ids=str)
def test_what_does_not_fit_is_refused_with_what_to_do(kind: Asked, asking: Asking) -> None:
    asking.move(phase=Phase.ROLLING_BACK)
    found = problem(asking.ask(kind), 409)
    assert found["what"] == f"it is rolling-back and cannot {kind}"
    assert found["remedy"]
    assert asking.run.wish is None


@pytest.mark.parametrize(
    ("kind", "phase"),
    [(Asked.PAUSE, Phase.PAUSED), (Asked.STOP, Phase.STOPPED), (Asked.PROMOTE, Phase.WATCHING)],
)
def test_what_is_so_already_is_not_asked_again(kind: Asked, phase: Phase, asking: Asking) -> None:
    asking.move(phase=phase)
    response = asking.ask(kind)
    assert (response.status_code, response.json()["is_new"]) == (200, False)
    assert asking.run.wish is None


def test_without_a_person_the_tokens_name_is_recorded(asking: Asking) -> None:
    assert asking.http.post(f"{PLACE}/pause", json={"why": "lunch"}).status_code == 202
    assert asking.run.wish is not None
    assert asking.run.wish.who == "local"


def test_nothing_unproven_is_overruled_without_saying_so(asking: Asking) -> None:
    assert "not looked at" in problem(asking.ask("promote"), 409)["what"]
    asking.seen.found = evidence()
    asking.move(step=1, step_entered_us=NOW_US)
    early = problem(asking.ask("advance"), 409)
    assert early["what"] == "not yet: the step has not lasted as long as the policy asks"
    assert "override" in early["remedy"]
    refused = asking.ask("promote")
    assert "the step has not lasted" in problem(refused, 409)["what"]
    assert asking.run.wish is None


def test_each_metric_that_is_not_proven_is_named_with_how_much_there_is(asking: Asking) -> None:
    asking.seen.found = evidence(converted=0.1205)
    asking.move(step=2)
    found = asking.ask("promote").json()["problems"]
    assert found[0]["what"].startswith("not yet: the goal is not proven yet (converted)")
    assert found[1]["where"] == "churn-v2: converted"
    assert "% of the proof that it needs" in found[1]["what"]


def test_what_the_policy_would_do_itself_needs_no_override_and_never_becomes_one(asking: Asking) -> None:
    asking.seen.found = evidence()
    asking.move(step=2)
    assert asking.ask("promote").status_code == 202
    assert asking.run.wish is not None
    assert not asking.run.wish.overrules
    overruling = asking.ask("promote", override=True)
    assert overruling.status_code == 202, "it may be sharpened while it waits"
    assert asking.run.wish is not None
    assert asking.run.wish.overrules


def test_a_wish_that_is_soon_answered_keeps_its_turn_and_one_that_waits_gives_way(asking: Asking) -> None:
    asking.ask("pause")
    response = asking.ask("stop")
    assert "anna asked to pause" in problem(response, 409)["what"]
    assert response.headers["retry-after"] == "1"
    asking.move(wish=None)
    asking.ask("advance", override=True)
    assert asking.ask("pause").status_code == 202
    assert asking.run.wish is not None
    assert asking.run.wish.kind is Asked.PAUSE


def test_a_rollback_waits_for_no_other_wish(asking: Asking) -> None:
    asking.ask("pause")
    assert asking.ask("rollback").status_code == 202
    assert asking.run.rollback_wish is not None


def test_an_approval_is_in_the_name_of_a_group_that_is_asked(asking: Asking) -> None:
    none_asked = problem(asking.ask("approve"), 422)
    assert none_asked["what"] == "its policy asks nobody to approve"
    # The ledger keeps a policy beside its run: a changed one is recorded as an amendment.
    seen = asking.ledger.runs()[0]
    changed = replace(
        seen.experiment,
        policy=replace(seen.experiment.policy, approvers=("leads", "legal")),
        phase=Phase.AWAITING_APPROVAL,
    )
    assert asking.ledger.revise(seen, changed, NOW_US)
    assert "name one: leads or legal" in problem(asking.ask("approve"), 422)["remedy"]
    assert "approve for leads or legal" in problem(asking.ask("approve", group="boss"), 409)["remedy"]
    assert asking.ask("approve", group="leads").status_code == 202
    assert asking.run.wish is not None
    assert (asking.run.wish.group, asking.run.wish.kind) == ("leads", Asked.APPROVE)
    asking.move(wish=None, approvals=(Approval("leads", "anna", "fine", NOW_US),))
    assert asking.ask("approve", group="leads").status_code == 200
    assert asking.ask("approve").json()["experiment"]["wish"]["group"] == "legal"


def test_a_verb_refuses_what_it_has_no_use_for(asking: Asking) -> None:
    for said in ({"group": "leads"}, {"candidate": "2.0.0"}, {"override": True}):
        found = problem(asking.ask("pause", **said), 422)
        assert found["what"] == "pause has no use for it"
    unknown = problem(asking.ask("promote", candidate="2.0.1", override=True), 422)
    assert unknown["remedy"] == "did you mean '2.0.0'?"


def test_what_was_recorded_meanwhile_is_shown_and_nothing_is_done(asking: Asking) -> None:
    shown = asking.http.get(PLACE)
    tag = shown.headers["etag"]
    assert tag == f'"{shown.json()["uid"]}-{shown.json()["version"]}"'
    asking.move(fresh_us=NOW_US)
    response = asking.http.post(f"{PLACE}/pause", json=WHY, headers={"if-match": tag})
    assert response.status_code == 412
    present = response.json()["experiment"]
    assert present["version"] == shown.json()["version"] + 1
    assert asking.run.wish is None
    newer = asking.http.get(PLACE).headers["etag"]
    accepted = asking.http.post(f"{PLACE}/pause", json=WHY, headers={"if-match": f'"other", {newer}'})
    assert accepted.status_code == 202
    assert accepted.headers["etag"] == asking.http.get(PLACE).headers["etag"]


def test_many_at_once_are_one_wish(asking: Asking) -> None:
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda _: asking.ask("pause").status_code, range(8)))
    assert sorted(codes) == [200] * 7 + [202]
