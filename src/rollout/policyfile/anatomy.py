"""Which keys a mapping of the policy file takes, read from the shapes themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from rollout.policyfile.actions import ACTIONS
from rollout.policyfile.finding import Path
from rollout.policyfile.forms import Form
from rollout.policyfile.leaves import Shape
from rollout.policyfile.metrics import METRICS
from rollout.policyfile.shapes import Expect, File, Level
from rollout.policyfile.steps import STEPS
from rollout.policyfile.writing import duration_text, percent_text

Kinds = Mapping[str, type[Shape]]
UNIONS: Final[tuple[Kinds, ...]] = (METRICS, STEPS, ACTIONS)
"""What comes in several kinds, each by what pydantic calls it."""
KEY_ITSELF: Final = "[key]"
"""What pydantic adds to the place of a mapping's value when it speaks of its key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping."""

    name: str
    field: FieldInfo
    shapes: tuple[type[Shape], ...]
    """What stands under it: no mapping, one, or one of several kinds."""
    is_list: bool
    is_open: bool
    """Its keys are the writer's own names."""

    @property
    def kinds(self) -> Kinds:
        """The kinds of what stands under it; none when there is only one."""
        return next((union for union in UNIONS if tuple(union.values()) == self.shapes), {})

    @property
    def leaf(self) -> Form | None:
        """How its value, or each of its values, is written."""
        forms = [
            part for part in _parts(self.field.annotation, *self.field.metadata) if isinstance(part, Form)
        ]
        return forms[-1] if forms else None

    @property
    def examples(self) -> tuple[object, ...]:
        """Values that it may have: its own, or those of its form."""
        return tuple(self.field.examples or (self.leaf.examples if self.leaf else ()))

    @property
    def form(self) -> str:
        """How its value is written, in words."""
        single = self.leaf.text if self.leaf else "keys"
        return f"a list: {single}" if self.is_list and self.leaf else "a list" if self.is_list else single

    @property
    def default(self) -> str | bool | int | None:
        """What it is when it is left out, as a file has it; nothing where there is no such leaf."""
        match self.field.default:
            case StrEnum() as word:
                return word.value
            case bool() | int() as value:
                return value
            case float() as value:
                return percent_text(value) if "percentage" in self.form else duration_text(value)
            case _:
                return None

    @property
    def validators(self) -> tuple[BeforeValidator, ...]:
        """What checks its value."""
        parts = _parts(self.field.annotation, *self.field.metadata)
        return tuple(part for part in parts if isinstance(part, BeforeValidator))


@dataclass(frozen=True, slots=True)
class Spot:
    """A place as people write it, and the kind of mapping that stands there."""

    path: Path
    shape: type[Shape] | None


@cache
def keys(shape: type[Shape]) -> Mapping[str, Key]:
    """Return the keys of a mapping by their names."""
    found = {}
    for attribute, field in shape.model_fields.items():
        name = field.alias or attribute
        parts = tuple(_parts(field.annotation, *field.metadata))
        inner = tuple(part for part in parts if isinstance(part, type) and issubclass(part, Shape))
        found[name] = Key(name, field, inner, is_list=list in parts, is_open=dict in parts)
    return found


def spot(location: Path) -> Spot:
    """Return what is at a place that pydantic names: it names the kind of a metric, step or action too."""
    path: list[str | int] = []
    shape: type[Shape] | None = File
    kinds: Kinds = {}
    for part in location:
        if isinstance(part, int):
            path.append(part)
        elif part in kinds:
            shape, kinds = kinds[part], {}
        elif part != KEY_ITSELF or shape is not None:
            path.append(part)
            key = keys(shape).get(part) if shape else None
            kinds = key.kinds if key else {}
            shape = key.shapes[0] if key and key.shapes else Level if shape is Expect and not key else None
    return Spot(tuple(path), shape)


def _parts(*annotations: object) -> Iterator[object]:
    """Take types and their annotations apart."""
    for annotation in annotations:
        if get_origin(annotation) in {list, dict}:
            yield get_origin(annotation)
        arguments = get_args(annotation)
        if arguments:
            yield from _parts(*arguments)
        else:
            yield annotation
