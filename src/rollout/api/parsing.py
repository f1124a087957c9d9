"""A body's JSON as a shape, or every mistake that is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from rollout.api.problems import Refusal, lowered
from rollout.errors import Problem

MOST_PLACES: Final = 20
Shape = TypeVar("Shape", bound=BaseModel)


def parsed(shape: type[Shape], content: bytes) -> Shape:
    """Return what a body asks for; refuse it with every mistake, and with an example of a right one."""
    try:
        found = shape.model_validate_json(content)
    except ValidationError as error:
        examples = shape.model_config.get("json_schema_extra")
        shown = examples.get("examples") if isinstance(examples, dict) else None
        remedy = f"send {json.dumps(shown[0])}" if isinstance(shown, list) else "see /openapi.json"
        problems = [
            Problem(".".join(map(str, one["loc"])) or "body", lowered(one["msg"]), remedy)
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, *problems) from None
    if b"\\u0000" in content and (places := list(_holding_nul(found.model_dump(mode="json"), ()))):
        what, remedy = "must not hold the character NUL, which no database takes", "leave \\u0000 out"
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY, *(Problem(place, what, remedy) for place in places[:MOST_PLACES])
        )
    return found


def _holding_nul(value: object, within: tuple[str, ...]) -> Iterator[str]:
    """Yield where a text holds it: a database that refuses it would be taken for one that is away."""
    match value:
        case str():
            if "\0" in value:
                yield ".".join(within) or "body"
        case dict():
            for key, one in value.items():
                yield from _holding_nul(key, (*within, "key"))
                yield from _holding_nul(one, (*within, key))
        case list():
            for number, one in enumerate(value):
                yield from _holding_nul(one, (*within, str(number)))
