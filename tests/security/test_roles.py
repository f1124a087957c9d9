"""Who may what: every route of the document, with a token of every role and with those that open nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rollout.api.rules import OPEN, RULES
from rollout.client.answers import PROBLEM
from rollout.domain.access import Role
from tests.api.whole import Whole, whole

FILLED = {"name": "churn-v2", "node": "n-1", "kind": "exposures", "log": "ab" * 16, "number": "1"}
NOTHING = ("none", "expired", "revoked", "malformed")
EXPECTED = {
    "viewer": {"reads"},
    "operator": {"reads", "operates"},
    "approver": {"reads", "approves"},
    "admin": {"reads", "operates", "approves", "keeps tokens", "is a node", "is an application"},
    "node": {"is a node"},
    "app": {"is an application"},
}
"""What each role is for, in words: the table of rules is held against it."""


@pytest.fixture(scope="module", name="there")
def _there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("whole")) as served:
        yield served


def routes(there: Whole) -> list[tuple[str, str]]:
    """Return every route of the document, by its method and its path as it is written."""
    paths: dict[str, dict[str, Any]] = httpx.get(f"{there.url}/openapi.json", trust_env=False).json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def authorization(there: Whole, kind: str) -> dict[str, str]:
    match kind:
        case "none":
            return {}
        case "malformed":
            return {"authorization": there.secrets["admin"]}
        case _:
            return {"authorization": f"Bearer {there.secrets[kind]}"}


def meaning(method: str, path: str) -> str:
    """Return what a route is for, by its place alone."""
    if path.startswith("/v1/tokens"):
        return "keeps tokens"
    if path.startswith("/v1/outcomes"):
        return "is an application"
    if path in {"/v1/snapshot", "/v1/unit-key"} or (path.startswith(("/v1/segments", "/v1/nodes/"))):
        return "is a node"
    if path.endswith("/approve"):
        return "approves"
    only_looks = method == "GET" or path.startswith(("/v1/policies", "/v1/audit")) or path.endswith("/replay")
    return "reads" if only_looks else "operates"


def test_every_route_has_its_rule_and_every_rule_its_route(there: Whole) -> None:
    assert set(routes(there)) == set(RULES)


def test_the_rules_say_what_the_roles_are_for() -> None:
    for (method, path), allowed in RULES.items():
        if (method, path) in OPEN:
            continue
        wanted = {role for role, does in EXPECTED.items() if meaning(method, path) in does}
        if (method, path) == ("DELETE", "/v1/nodes/{node}"):
            wanted |= {"operator"}  # who runs the fleet removes a node that is gone
        assert {role.value for role in allowed} == wanted, (method, path)


def test_every_route_lets_in_every_role_as_the_rules_say_and_nobody_else(there: Whole) -> None:
    wrong = []
    with httpx.Client(base_url=there.url, trust_env=False) as http:
        for method, path in routes(there):
            place = path.format(**FILLED)
            for kind in (*NOTHING, *(role.value for role in Role)):
                answer = http.request(method, place, headers=authorization(there, kind))
                if (method, path) in OPEN:
                    expected = {200, 503}
                elif kind in NOTHING:
                    expected = {401}
                elif Role(kind) in RULES[method, path]:
                    expected = set(range(200, 600)) - {401, 403, 405, 500}
                else:
                    expected = {403}
                is_worded = answer.is_success or answer.headers["content-type"] in {
                    PROBLEM,
                    "application/json",
                }
                if answer.status_code not in expected or not is_worded:
                    wrong.append((method, path, kind, answer.status_code, answer.text[:200]))
    assert wrong == []


def test_who_is_refused_is_told_why_and_no_secret(there: Whole) -> None:
    with httpx.Client(base_url=there.url, trust_env=False) as http:
        told = {
            kind: http.post("/v1/experiments", headers=authorization(there, kind)) for kind in there.secrets
        }
        told["none"] = http.post("/v1/experiments")
    assert "the token 'expired' has expired" in told["expired"].text
    assert "the token 'revoked' was revoked" in told["revoked"].text
    assert "no known token: send 'Authorization: Bearer TOKEN'" in told["none"].text
    viewer = told["viewer"].json()["problems"][0]
    assert viewer["what"] == "the token 'a-viewer' is of role viewer, and this needs operator or admin"
    for answer in told.values():
        assert not any(secret in answer.text for secret in there.secrets.values())


def test_a_route_without_a_rule_lets_nobody_in(there: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = {rule: roles for rule, roles in RULES.items() if rule != ("GET", "/v1/nodes")}
    monkeypatch.setattr("rollout.api.gate.RULES", fewer)
    for kind in Role:
        headers = authorization(there, kind.value)
        assert httpx.get(f"{there.url}/v1/nodes", headers=headers, trust_env=False).status_code == 403
