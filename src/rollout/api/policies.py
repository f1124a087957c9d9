"""Where a policy is checked and planned before it starts; nothing of it is kept."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import JsonValue, TypeAdapter

from rollout.api.body import read_body
from rollout.api.problems import Refusal
from rollout.api.refusals import problems_of
from rollout.client.answers import MAXIMUM_POLICY_BYTES
from rollout.client.policies import FindingAnswer, LintAnswer, PlanAnswer
from rollout.domain.look import Patience
from rollout.domain.plan.plan import Plan, plan
from rollout.policyfile.digest import digest
from rollout.policyfile.finding import Complaint, Finding, Severity, path_text, worded
from rollout.policyfile.reading import Reading, located, read_bytes

MOST_AT_ONCE: Final = 2
"""A plan takes up to seconds of a processor: more of them wait, and nothing else waits for them."""
FileName = Annotated[str, Query(max_length=200, description="How findings name the policy.")]
_JSON: Final = TypeAdapter(dict[str, JsonValue])


def policies_router(allowed: Callable[[Request], object]) -> APIRouter:
    """Return the routes about policies, for whom `allowed` lets in."""
    router = APIRouter(prefix="/v1/policies", dependencies=[Depends(allowed)], tags=["policies"])
    turns = asyncio.Semaphore(MOST_AT_ONCE)

    @router.post("/lint")
    async def lint(request: Request, file: FileName = "policy") -> LintAnswer:
        content = await read_body(request, MAXIMUM_POLICY_BYTES)
        async with turns:
            return await run_in_threadpool(_linted, content, file)

    @router.post("/plan")
    async def make_plan(request: Request, file: FileName = "policy") -> PlanAnswer:
        content = await read_body(request, MAXIMUM_POLICY_BYTES)
        async with turns:
            return await run_in_threadpool(_planned, content, file)

    return router


def _linted(content: bytes, file: str) -> LintAnswer:
    reading = read_bytes(content, file)
    policy = reading.policy
    return LintAnswer(
        name=None if policy is None else policy.name,
        digest=None if policy is None else digest(policy),
        errors=tuple(_answer(one) for one in reading.findings if one.severity is Severity.ERROR),
        warnings=tuple(_answer(one) for one in reading.findings if one.severity is Severity.WARNING),
    )


def _planned(content: bytes, file: str) -> PlanAnswer:
    reading = read_bytes(content, file)
    if reading.policy is None:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, *problems_of(reading))
    planned = plan(reading.policy, Patience())
    return PlanAnswer(
        name=planned.name,
        answer=planned.answer,
        is_refused=planned.is_refused,
        is_known=not planned.unknowns,
        advice=tuple(_answer(one) for one in _advice(planned, reading)),
        document=_JSON.validate_python(_plain(asdict(planned))),
    )


def _advice(planned: Plan, reading: Reading) -> list[Finding]:
    """Return the plan's advice with its places in the file."""
    return [
        located(
            Complaint(one.path, one.what, one.remedy, Severity.WARNING, shows_value=False),
            reading.file,
            reading.root,
        )
        for one in planned.advice
    ]


def _answer(finding: Finding) -> FindingAnswer:
    return FindingAnswer(
        file=finding.file,
        line=finding.line,
        path=path_text(finding.path),
        what=finding.what,
        got=finding.got,
        remedy=finding.remedy,
        message=worded(finding),
    )


def _plain(value: object) -> object:
    """Return what JSON can write; a number that is none is null."""
    match value:
        case dict():
            return {str(key): _plain(part) for key, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
