"""Who does not lead answers nobody as if it did, and says who leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest
from fastapi import APIRouter
from starlette.types import Message

from rollout.api.app import create_app
from rollout.client.answers import PROBLEM, ProblemsAnswer
from rollout.wiring.front import Front, Leader

URL, OTHER = "http://a:8640", "http://b:8640"


class Clock:
    """Says whether the lead is held."""

    def __init__(self) -> None:
        self.leads = True

    def __call__(self) -> bool:
        return self.leads


def leader(leads: Clock, during: Callable[[], None] = lambda: None) -> Leader:
    router = APIRouter()

    @router.get("/v1/work")
    def work() -> dict[str, str]:
        during()
        return {"done": "here"}

    @router.get("/v1/wrong", status_code=422)
    def wrong() -> dict[str, str]:
        during()
        return {"done": "nothing"}

    return Leader(create_app([router]), leads)


def ask(front: Front, path: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(front)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get(path)

    return asyncio.run(asked())


@pytest.mark.parametrize(("other", "said"), [(OTHER, f"{OTHER} leads"), (None, "nobody leads at the moment")])
def test_a_standby_names_who_leads(other: str | None, said: str) -> None:
    front = Front(URL, lambda: other)
    answer = ask(front, "/v1/work")
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    (problem,) = ProblemsAnswer.model_validate_json(answer.content).problems
    assert (problem.where, problem.what) == (URL, f"it stands by; {said}")
    assert answer.headers.get("rollout-leader") == other
    assert answer.headers["retry-after"] == "1"


def test_a_standby_is_well_and_not_ready() -> None:
    front = Front(URL, lambda: OTHER)
    assert ask(front, "/healthz").json() == {"status": "fine"}
    ready = ask(front, "/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "standby", "leader": OTHER})


def test_a_leader_answers_until_it_stands_by() -> None:
    front, leads = Front(URL, lambda: None), Clock()
    front.lead(leader(leads))
    assert front.leads()
    assert ask(front, "/v1/work").json() == {"done": "here"}
    assert ask(front, "/healthz").json() == {"status": "fine"}
    leads.leads = False  # its time is up, though nobody has told it
    assert ask(front, "/v1/work").status_code == 503
    leads.leads = True
    front.stand_by()
    assert not front.leads()
    assert ask(front, "/v1/work").status_code == 503


def test_who_loses_the_lead_at_work_says_so_instead_of_success() -> None:
    leads = Clock()
    front = Front(URL, lambda: OTHER)

    def lose() -> None:
        leads.leads = False

    front.lead(leader(leads, lose))
    answer = ask(front, "/v1/work")
    assert (answer.status_code, "done" in answer.text) == (503, False)
    assert answer.headers["rollout-leader"] == OTHER
    leads.leads = True
    assert ask(front, "/v1/wrong").status_code == 422


def test_another_leader_of_the_same_process_is_not_answered_for() -> None:
    front, leads = Front(URL, lambda: None), Clock()
    front.lead(leader(leads, lambda: front.lead(leader(leads))))
    assert ask(front, "/v1/work").status_code == 503
    assert ask(front, "/v1/work").status_code == 200


def test_the_server_is_told_that_all_is_ready() -> None:
    told = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    said: list[str] = []

    async def receive() -> Message:
        return told.pop(0)

    async def send(message: Message) -> None:
        said.append(message["type"])

    asyncio.run(Front(URL, lambda: None)({"type": "lifespan"}, receive, send))
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
