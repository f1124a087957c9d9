"""The OpenAPI document: what FastAPI knows of the routes, and what it cannot know of them.

Bodies are read by hand, within their limits and only of who was let in; so they are described here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rollout.api.examples import ANSWERS, BODIES, Body
from rollout.api.rules import OPEN, RULES
from rollout.client.answers import PROBLEM, ProblemsAnswer

REFERENCE: Final = "#/components/schemas/{model}"
KEYED: Final = ("/v1/experiments", "/v1/tokens", "/v1/evidence/rebuild")
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, the request is answered as it was, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of the state that was seen; in another state nothing is done.",
    "schema": {"type": "string"},
}


def described(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of an application; `plain` is FastAPI's own, and is completed."""
    document = dict(plain)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(_schemas())
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token that `rollout token` made."}
    }
    components["responses"] = {"problem": _problem()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _describe((method.upper(), path), operation)
    return document


def _describe(rule: tuple[str, str], operation: dict[str, Any]) -> None:
    method, path = rule
    responses = operation["responses"]
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]
    responses["default"] = {"$ref": "#/components/responses/problem"}
    if rule not in OPEN:
        operation["security"] = [{"token": []}]
        operation["x-roles"] = sorted(role.value for role in RULES.get(rule, ()))
    if rule in BODIES:
        operation["requestBody"] = _body(BODIES[rule])
    if rule in ANSWERS:
        status, answer = ANSWERS[rule]
        content = responses[str(status)].setdefault("content", {})
        content.setdefault("application/json", {})["example"] = _plain(answer)
    parameters = operation.setdefault("parameters", [])
    is_write = method != "GET" and not path.endswith("/replay")
    if is_write and path.startswith(KEYED):
        parameters.append(_KEY)
    if method == "POST" and path.startswith("/v1/experiments") and is_write:
        parameters.append(_MATCH)


def _schemas() -> dict[str, Any]:
    """Return the schemas of bodies, and of problems, by name."""
    shapes: list[type[BaseModel]] = [body.shape for body in BODIES.values() if body.shape is not None]
    both = [(shape, "validation") for shape in [*dict.fromkeys(shapes), ProblemsAnswer]]
    _, definitions = models_json_schema(both, ref_template=REFERENCE)  # type: ignore[arg-type] # its own words
    found: dict[str, Any] = definitions["$defs"]
    return found


def _body(body: Body) -> dict[str, Any]:
    named = body.shape is not None and {"$ref": REFERENCE.format(model=body.shape.__name__)}
    schema = named or dict(body.schema)
    content = {kind: {"schema": schema, "example": _plain(body.example)} for kind in body.kinds}
    return {"required": body.is_required, "content": content}


def _problem() -> dict[str, Any]:
    return {
        "description": "What is wrong, and what to do about it.",
        "content": {PROBLEM: {"schema": {"$ref": REFERENCE.format(model=ProblemsAnswer.__name__)}}},
    }


def _plain(example: object) -> object:
    return example.model_dump(mode="json") if isinstance(example, BaseModel) else example
