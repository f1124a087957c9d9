"""Texts that a database cannot hold (NUL, half a character) are refused at the door, whichever it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from rollout.client.answers import PROBLEM
from rollout.domain.wish import Asked
from tests.api.whole import Whole, whole
from tests.store.databases import KINDS, Kind, new_database

STRANGE: Final = ("\0", "a\0b", "\ud800", "b\udfff", "\ud800\0")
RUN: Final = "/v1/experiments/churn-v2"
LOST: Final = {
    "kind": "outcomes",
    "experiment": "a",
    "revision": 1,
    "rows": 1,
    "bytes": 1,
    "from_us": 1,
    "to_us": 2,
}
LOSS: Final = {"experiment": "a", "revision": 1, "kind": "outcomes", "rows": 1, "from_us": 1, "to_us": 2}
REFUSED: Final = {"experiment": "a", "revision": 1, "reason": "b"}
TOLD: Final = {"unit": "ada", "metric": "bought", "ts_us": 1, "value": 1, "key": "k"}
WRITES: Final[dict[tuple[str, str], object]] = {
    **{("POST", f"{RUN}/{kind}"): {"why": "lunch", "who": "anna"} for kind in Asked},
    ("POST", "/v1/tokens"): {"name": "ci", "role": "approver", "groups": ["leads"]},
    ("POST", "/v1/audit/verify"): {"number": 1, "hash": "ab" * 32},
    ("PUT", "/v1/nodes/n-1"): {"losses": [LOSS], "refused": [REFUSED]},
    ("PUT", "/v1/nodes/n-1/losses"): [LOST],
}


@pytest.fixture(scope="module", params=KINDS, ids=str, name="there")
def _there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    kind: Kind = request.param
    folder = tmp_path_factory.mktemp("whole")
    with new_database(kind, folder) as database, whole(folder, database=database) as served:
        yield served


def with_strange(body: object) -> Iterator[object]:
    """Yield a body as often as it has texts, each time with something strange in one of them."""
    match body:
        case str():
            yield from (strange for one in STRANGE for strange in (one, body + one))
        case dict():
            for key, value in body.items():
                yield from ({**body, key: other} for other in with_strange(value))
        case list():
            for at, value in enumerate(body):
                yield from ([*body[:at], other, *body[at + 1 :]] for other in with_strange(value))


@pytest.mark.parametrize("write", WRITES, ids=" ".join)
def test_what_no_database_holds_is_refused_by_each(there: Whole, write: tuple[str, str]) -> None:
    headers = {"authorization": f"Bearer {there.secrets['admin']}", "content-type": "application/json"}
    bodies = list(with_strange(WRITES[write]))
    assert bodies
    with httpx.Client(base_url=there.url, headers=headers, trust_env=False) as http:
        for body in bodies:
            answer = http.request(*write, content=json.dumps(body))
            assert 400 <= answer.status_code < 500, (body, answer.status_code, answer.text)
            assert answer.headers["content-type"] == PROBLEM
