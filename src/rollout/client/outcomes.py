"""The door for outcomes as its callers see it: what is asked for, and what became of each that was told."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from typing import Final

from pydantic import Field, ValidationError

from rollout.client.answers import Answer
from rollout.client.connection import Conversation, Patience, Request
from rollout.errors import ControlPlaneFailed, Problem

PATH: Final = "/v1/outcomes"
METRICS: Final = f"{PATH}/metrics"
LINES: Final = "application/x-ndjson"
JSON: Final = "application/json"
LONG_PATIENCE: Final = Patience(tries=24, longest_pause_s=60.0, outlasts_timeouts=True)
"""A quarter of an hour of refusals, and as long as each answer takes: a restart, an update, a full disk."""
_FAST: Final = 1


class WantedAnswer(Answer):
    """The outcomes that running policies ask for."""

    metrics: dict[str, tuple[str, ...]] = Field(description="What each is taken for, by its name.")
    now_us: int = Field(description="The door's clock.")


class RefusedOutcome(Answer):
    """One outcome that was not taken, and why."""

    item: int = Field(description="Its place among the outcomes of the request; counts from 0.")
    detail: str


class ToldAnswer(Answer):
    """What became of the outcomes of one request; not every refused one need be described."""

    accepted: int
    refused: int
    problems: tuple[RefusedOutcome, ...] = ()


class OutcomesDoor(Conversation):
    """Tells outcomes to one control plane; a context that closes its connection."""

    def wanted(self) -> WantedAnswer:
        """Return what is asked for now."""
        return self._connection.ask(Request("GET", METRICS), WantedAnswer)

    def tell(self, lines: bytes, count: int) -> ToldAnswer:
        """Tell so many outcomes, one on each line; what the answer says was accepted is on the disk."""
        packed = gzip.compress(lines, _FAST, mtime=0)
        request = Request("POST", PATH, content=packed, content_type=LINES, content_encoding="gzip")
        reply = self._connection.reply(request)
        if reply.status != HTTPStatus.UNPROCESSABLE_ENTITY or reply.content_type != JSON:
            self._connection.accepted(request, reply)
        try:
            answer = ToldAnswer.model_validate_json(reply.content)
        except ValidationError:
            answer = None
        if answer is None or not _is_complete(answer, count):
            what = f"the answer to {count} outcomes does not say what became of each"
            remedy = "check that ROLLOUT_CONTROL_URL names a control plane of this version"
            raise ControlPlaneFailed(Problem(self._connection.url, what, remedy))
        return answer


def _is_complete(answer: ToldAnswer, count: int) -> bool:
    """Whether an answer counts every outcome, and names some of the refused ones, by their places."""
    places = {one.item for one in answer.problems}
    is_named = len(answer.problems) == len(places) <= answer.refused and bool(places) == bool(answer.refused)
    return answer.accepted + answer.refused == count and is_named and all(0 <= one < count for one in places)
