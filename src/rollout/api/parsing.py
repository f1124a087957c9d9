"""A body's JSON as a shape, or every mistake that is in it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rollout.api.problems import Refusal, lowered
from rollout.errors import Problem

Shape = TypeVar("Shape", bound=BaseModel)


def parsed(shape: type[Shape], content: bytes) -> Shape:
    """Return what a body asks for; refuse it with every mistake, and with an example of a right one."""
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        examples = shape.model_config.get("json_schema_extra")
        shown = examples.get("examples") if isinstance(examples, dict) else None
        remedy = f"send {json.dumps(shown[0])}" if isinstance(shown, list) else "see /openapi.json"
        problems = [
            Problem(".".join(map(str, one["loc"])) or "body", lowered(one["msg"]), remedy)
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, *problems) from None
