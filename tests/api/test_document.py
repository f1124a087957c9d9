"""The OpenAPI document: every route has an example of what it takes and answers, and each fits its schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from rollout.api.examples import ANSWERS, BODIES, POLICY
from rollout.api.rules import OPEN, RULES
from rollout.policyfile.reading import read
from tests.api.whole import whole

PLAIN = {("GET", "/v1/experiments/{name}/report"), ("GET", "/openapi.json"), ("GET", "/metrics")}
"""Answers that are not described by a shape of ours."""
SILENT = {("PUT", "/v1/nodes/{node}"), ("PUT", "/v1/nodes/{node}/losses"), ("DELETE", "/v1/nodes/{node}")}
WITHOUT_BODY = {
    ("POST", "/v1/evidence/rebuild"),
    ("POST", "/v1/experiments/{name}/decisions/{number}/replay"),
}


@pytest.fixture(scope="module", name="document")
def _document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with whole(tmp_path_factory.mktemp("whole")) as there:
        yield httpx.get(f"{there.url}/openapi.json", trust_env=False).json()


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def check(document: dict[str, Any], content: dict[str, Any]) -> None:
    """Hold an example against its schema, whose parts are in the document."""
    schema = {**content["schema"], "components": document["components"]}
    jsonschema_rs.validator_for(schema).validate(content["example"])


def test_every_answer_has_an_example_that_fits(document: dict[str, Any]) -> None:
    shown = set()
    for rule, operation in operations(document).items():
        for response in operation["responses"].values():
            content = response.get("content", {}).get("application/json", {})
            if "example" in content:
                check(document, content)
                shown.add(rule)
    assert shown == set(RULES) - PLAIN - SILENT
    assert set(ANSWERS) <= set(RULES)


def test_every_write_says_what_it_takes(document: dict[str, Any]) -> None:
    found = operations(document)
    taking = {rule for rule, operation in found.items() if "requestBody" in operation}
    assert taking == set(BODIES)
    assert {rule for rule in RULES if rule[0] in {"POST", "PUT"}} == taking | WITHOUT_BODY
    for rule in taking:
        for content in found[rule]["requestBody"]["content"].values():
            check(document, content)


def test_every_route_says_whom_it_lets_in_and_how_it_refuses(document: dict[str, Any]) -> None:
    for rule, operation in operations(document).items():
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/problem"}
        if rule not in OPEN:
            assert operation["x-roles"] == sorted(RULES[rule])
            assert operation["security"] == [{"token": []}]


def test_the_policy_that_is_shown_may_run() -> None:
    assert read(POLICY, "policy").policy is not None


def test_the_page_has_the_table_of_roles() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for (method, path), roles in RULES.items():
        who = "anybody" if (method, path) in OPEN else ", ".join(sorted(roles))
        assert f"| `{method} {path}` | {who} |" in page
