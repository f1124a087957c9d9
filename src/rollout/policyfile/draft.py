"""The parts of a policy file that hold by themselves, so that a mistake in one hides none in another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rollout.policyfile.actions import Actions
from rollout.policyfile.finding import Path
from rollout.policyfile.leaves import Shape
from rollout.policyfile.metrics import AnyMetric, Metric
from rollout.policyfile.shapes import (
    Decide,
    Expect,
    Metadata,
    Notice,
    Resilience,
    Risk,
    Watch,
)
from rollout.policyfile.steps import WEIGHT, AnyStep, MirrorStep, Step, WeightStep, kind_of
from rollout.policyfile.traffic import Assignment, Condition, Route, Version

ShapePart = TypeVar("ShapePart", bound=Shape)
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Listed:
    """A list as it is written: which entries there are, and how many hold."""

    count: int
    held: int

    @property
    def all_hold(self) -> bool:
        """There are entries, and each holds."""
        return 0 < self.count == self.held


@dataclass(frozen=True, slots=True)
class Draft:
    """Each part that holds; nothing where it does not, or where it is missing and has no default."""

    written: frozenset[str]
    """The keys of `spec`."""
    metadata: Metadata | None
    route: Route | None
    baseline: Version | None
    candidates: tuple[tuple[Path, Version], ...]
    """Those that hold, each with its place."""
    candidate_count: int
    """How many are written, at least one."""
    assignment: Assignment | None
    match: tuple[tuple[int, Condition], ...]
    """Those that hold, each with its place in the list."""
    resilience: Resilience | None
    expect: Expect | None
    risk: Risk | None
    decide: Decide | None
    actions: Actions | None
    watch: Watch | None
    notify: tuple[tuple[int, Notice], ...]
    metrics: tuple[tuple[int, AnyMetric], ...]
    """Those that hold, each with its place in the list."""
    metrics_hold: bool
    """No metric is left out of `metrics`."""
    steps: tuple[tuple[int, AnyStep], ...]
    step_kinds: tuple[str, ...]
    """The kind of every step, whether it holds or not."""

    @property
    def weights(self) -> tuple[tuple[int, WeightStep], ...]:
        """The steps that set a weight."""
        return tuple((index, step) for index, step in self.steps if isinstance(step, WeightStep))

    @property
    def mirrors(self) -> tuple[tuple[int, MirrorStep], ...]:
        """The steps that send copies."""
        return tuple((index, step) for index, step in self.steps if isinstance(step, MirrorStep))

    @property
    def last_weight(self) -> tuple[int, WeightStep] | None:
        """The last weight step of the file, if there is one and it holds."""
        last = max((index for index, kind in enumerate(self.step_kinds) if kind == WEIGHT), default=None)
        return next((pair for pair in self.weights if pair[0] == last), None)

    @property
    def can_promote(self) -> bool:
        """Some step sets a weight, or there are no steps to tell."""
        return not self.step_kinds or WEIGHT in self.step_kinds


def draft(content: object) -> Draft:
    """Return the parts of a file's content that hold."""
    top = _keys(content)
    spec = _keys(top.get("spec"))
    metrics, metrics_listed = _each(_metric(), spec.get("metrics"))
    steps, _ = _each(_step(), spec.get("steps"))
    notices, _ = _each(_notice(), spec.get("notify"))
    candidates, candidate_count = _candidates(spec)
    written_steps = spec.get("steps")
    return Draft(
        written=frozenset(spec),
        metadata=_held(Metadata, top.get("metadata")),
        route=_held(Route, spec.get("route")),
        baseline=_held(Version, spec.get("baseline")),
        candidates=candidates,
        candidate_count=candidate_count,
        match=_each(_condition(), _keys(spec.get("assignment")).get("match"))[0],
        assignment=_held(Assignment, spec.get("assignment")),
        resilience=_held(Resilience, spec.get("resilience", {})),
        expect=_held(Expect, spec.get("expect", {})),
        risk=_held(Risk, spec.get("risk", {})),
        decide=_held(Decide, spec.get("decide", {})),
        actions=_held(Actions, spec.get("actions", {})),
        watch=_held(Watch, spec.get("watch", {})),
        notify=notices,
        metrics=metrics,
        metrics_hold="metrics" not in spec or metrics_listed.all_hold or spec["metrics"] == [],
        steps=steps,
        step_kinds=tuple(map(kind_of, written_steps)) if isinstance(written_steps, list) else (),
    )


def _candidates(spec: dict[str, object]) -> tuple[tuple[tuple[Path, Version], ...], int]:
    """Return the candidates that hold, and how many are written."""
    found = []
    one = _held(Version, spec.get("candidate"))
    if one is not None:
        found.append((("spec", "candidate"), one))
    several, listed = _each(_version(), spec.get("candidates"))
    places: list[tuple[Path, Version]] = [
        *found,
        *((("spec", "candidates", index), version) for index, version in several),
    ]
    return tuple(places), max(1, listed.count)


def _keys(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _held(kind: type[ShapePart], value: object) -> ShapePart | None:
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


@cache
def _notice() -> TypeAdapter[Any]:
    return TypeAdapter(Notice)


@cache
def _condition() -> TypeAdapter[Any]:
    return TypeAdapter(Condition)


@cache
def _version() -> TypeAdapter[Any]:
    return TypeAdapter(Version)


def _each(adapter: TypeAdapter[Any], value: object) -> tuple[tuple[tuple[int, Any], ...], Listed]:
    """Return the entries that hold, and how many there are."""
    entries = value if isinstance(value, list) else []
    held = []
    for index, entry in enumerate(entries):
        try:
            held.append((index, adapter.validate_python(entry)))
        except ValidationError:
            continue
    return tuple(held), Listed(len(entries), len(held))
