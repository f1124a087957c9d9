"""The parts of a policy file that hold by themselves, so that a mistake in one hides none in another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rollout.policyfile.leaves import Shape
from rollout.policyfile.shapes import (
    Actions,
    Assignment,
    Binary,
    Decide,
    ErrorRate,
    Expect,
    Latency,
    Metadata,
    Metric,
    Resilience,
    Risk,
    Route,
    Step,
    Version,
)

Part = TypeVar("Part", bound=Shape)


@dataclass(frozen=True, slots=True)
class Draft:
    """Each part that holds; nothing where it does not, or where it is missing and has no default."""

    metadata: Metadata | None
    route: Route | None
    baseline: Version | None
    candidate: Version | None
    assignment: Assignment | None
    resilience: Resilience | None
    expect: Expect | None
    risk: Risk | None
    decide: Decide | None
    actions: Actions | None
    metrics: tuple[tuple[int, Binary | ErrorRate | Latency], ...]
    """Those that hold, each with its place in the list."""
    steps: tuple[tuple[int, Step], ...]
    metrics_hold: bool
    """No metric is left out of `metrics`."""
    last_step_holds: bool
    """The last of `steps` is the last of the file."""


def draft(content: object) -> Draft:
    """Return the parts of a file's content that hold."""
    top = _keys(content)
    spec = _keys(top.get("spec"))
    metrics, metrics_hold, _ = _each(_metric(), spec.get("metrics"))
    steps, _, last_step_holds = _each(_step(), spec.get("steps"))
    return Draft(
        metadata=_held(Metadata, top.get("metadata")),
        route=_held(Route, spec.get("route")),
        baseline=_held(Version, spec.get("baseline")),
        candidate=_held(Version, spec.get("candidate")),
        assignment=_held(Assignment, spec.get("assignment")),
        resilience=_held(Resilience, spec.get("resilience", {})),
        expect=_held(Expect, spec.get("expect", {})),
        risk=_held(Risk, spec.get("risk", {})),
        decide=_held(Decide, spec.get("decide", {})),
        actions=_held(Actions, spec.get("actions", {})),
        metrics=metrics,
        steps=steps,
        metrics_hold=metrics_hold,
        last_step_holds=last_step_holds,
    )


def _keys(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _held(kind: type[Part], value: object) -> Part | None:
    try:
        return kind.model_validate(value)
    except ValidationError:
        return None


@cache
def _metric() -> TypeAdapter[Any]:
    return TypeAdapter(Metric)


@cache
def _step() -> TypeAdapter[Any]:
    return TypeAdapter(Step)


def _each(adapter: TypeAdapter[Any], value: object) -> tuple[tuple[tuple[int, Any], ...], bool, bool]:
    """Return the entries that hold, whether all do, and whether the last does."""
    entries = value if isinstance(value, list) else []
    held = []
    for index, entry in enumerate(entries):
        try:
            held.append((index, adapter.validate_python(entry)))
        except ValidationError:
            continue
    all_hold = bool(entries) and len(held) == len(entries)
    last_holds = bool(held) and held[-1][0] == len(entries) - 1
    return tuple(held), all_hold, last_holds
