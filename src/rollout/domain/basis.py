"""What one recorded decision rests on: all that its judgement, its reason and the next state follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import zip_longest
from operator import is_
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

import numpy as np

from rollout.domain.decision import QUIET, Decision
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.job import JobReport
from rollout.domain.look import Patience

Value = TypeVar("Value")
_HAVE_NO_PARTS: Final = frozenset({bool, int, float, str, type(None)})
_NOTHING: Final[Mapping[object, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Query:
    """What a metrics server was asked for one metric of one candidate, with every variable filled in."""

    metric: str
    arm: int
    text: str
    first_ms: int | None
    """The time of the oldest poll that was asked for, in milliseconds; none while no poll is due."""
    last_ms: int | None
    interval_ms: int


@dataclass(frozen=True, slots=True)
class Basis:
    """A look as it went in, and the state that came out; kept with the entry that it led to."""

    program: str
    """The version of the program that decided."""
    before: Experiment
    """The run as it stood when it was looked at."""
    after: Experiment
    """The run as it stood from then on."""
    patience: Patience
    evidence: Evidence | None
    """None where nothing was measured: of a run without traffic the last look counts, unchanged."""
    job: JobReport | None
    """What was known of the action that the phase waits for, without its output."""
    traffic_is_live: bool
    """Whether every proxy had confirmed the recorded split."""
    window_is_open: bool
    """Whether the policy's hours let traffic move up, by the calendar of that machine."""
    queries: tuple[Query, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be asked, or did not work, at this look."""


def is_kept_for_ever(decision: Decision) -> bool:
    """Return whether what a decision rests on is never given up: it changed something, or a person asked."""
    return decision.action not in QUIET or decision.wish is not None


def settled(evidence: Value, *, before: object = None) -> Value:
    """Return the same evidence, or part of it, with its arrays in the order of their indices.

    The order of memory decides the order in which floats are added up: with this one, and only with it, the
    judgement of what was written down and read again is the same to the last bit. `before` is what this came
    to for the look before: a part that is the very same object need not be looked through again.
    """
    return _settled(evidence, before)


def _settled(value: Value, before: object) -> Value:
    if value is before or type(value) in _HAVE_NO_PARTS:
        return value
    if isinstance(value, np.ndarray):
        return value if value.flags.c_contiguous else cast("Value", np.array(value, order="C"))
    if isinstance(value, tuple):
        others = before if isinstance(before, tuple) else ()
        found = [_settled(part, other) for part, other in zip_longest(value, others[: len(value)])]
        return value if all(map(is_, found, value)) else cast("Value", tuple(found))
    if is_dataclass(value) and not isinstance(value, type):
        changed: dict[str, Any] = {}
        for name in _names(type(value)):
            old = getattr(value, name)
            new = _settled(old, getattr(before, name, None))
            if new is not old:
                changed[name] = new
        return replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        known = before if isinstance(before, Mapping) else _NOTHING
        parts = {name: _settled(part, known.get(name)) for name, part in value.items()}
        return value if all(map(is_, parts.values(), value.values())) else cast("Value", parts)
    return value


@cache
def _names(kind: type[object]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast("Any", kind)))
