"""Which keys a mapping of the policy file takes, read from the shapes themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args, get_origin

from pydantic.fields import FieldInfo

from rollout.policyfile.finding import Path
from rollout.policyfile.leaves import Shape
from rollout.policyfile.quantities import Form
from rollout.policyfile.shapes import METRICS, Expect, File, Level


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping."""

    name: str
    field: FieldInfo
    shapes: tuple[type[Shape], ...]
    """What stands under it: no mapping, one, or one of several kinds."""
    is_list: bool

    @property
    def form(self) -> str:
        """How its value is written."""
        forms = [
            part.text
            for part in _parts(self.field.annotation, *self.field.metadata)
            if isinstance(part, Form)
        ]
        single = forms[0] if forms else "keys"
        return f"a list: {single}" if self.is_list and forms else "a list" if self.is_list else single


def keys(shape: type[Shape]) -> Mapping[str, Key]:
    """Return the keys of a mapping by their names."""
    found = {}
    for attribute, field in shape.model_fields.items():
        name = field.alias or attribute
        parts = tuple(_parts(field.annotation, *field.metadata))
        inner = tuple(part for part in parts if isinstance(part, type) and issubclass(part, Shape))
        found[name] = Key(name, field, inner, is_list=list in parts)
    return found


def shape_at(location: Path) -> type[Shape]:
    """Return the kind of mapping at a place that pydantic names, with its tags of metric types."""
    current: type[Shape] = File
    for part in location:
        if isinstance(part, int):
            continue
        key = keys(current).get(part)
        if key and key.shapes:
            current = key.shapes[0]
        elif part in METRICS and current in METRICS.values():
            current = METRICS[part]
        elif current is Expect:
            current = Level
    return current


def _parts(*annotations: object) -> Iterator[object]:
    """Take types and their annotations apart."""
    for annotation in annotations:
        if get_origin(annotation) is list:
            yield list
        arguments = get_args(annotation)
        if arguments:
            yield from _parts(*arguments)
        else:
            yield annotation
