"""The language as a JSON Schema: an editor completes keys, shows what they mean, and marks wrong ones.

It knows keys and forms. What must fit together, only `rollout lint` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from rollout.policyfile.anatomy import Key, keys
from rollout.policyfile.forms import Form
from rollout.policyfile.leaves import Shape
from rollout.policyfile.shapes import Expect, File, Level, Spec
from rollout.policyfile.traffic import Condition, Route

Schema: TypeAlias = dict[str, object]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ONE_OF: Final[Mapping[type[Shape], tuple[str, tuple[str, ...]]]] = {
    Route: ("anyOf", ("path", "host")),
    Spec: ("oneOf", ("candidate", "candidates")),
    Condition: ("oneOf", ("in", "prefix", "present", "absent")),
}
"""Keys of which one must be there, or exactly one."""


def schema() -> Schema:
    """Return the schema of a policy file; it depends on the code only."""
    shapes = _shapes(File)
    return {
        "$schema": DIALECT,
        "title": "Policy of rollout",
        **_mapping(File),
        "$defs": {shape.__name__: _mapping(shape) for shape in shapes if shape is not File},
    }


def _shapes(top: type[Shape]) -> tuple[type[Shape], ...]:
    """Return every kind of mapping that stands below one, once each."""
    found: dict[type[Shape], None] = {top: None}
    below = [inner for key in keys(top).values() for inner in key.shapes]
    if top is Expect:
        below.append(Level)
    for shape in below:
        found.update(dict.fromkeys(_shapes(shape)))
    return tuple(found)


def _mapping(shape: type[Shape]) -> Schema:
    known = keys(shape)
    required = [name for name, key in known.items() if key.field.is_required()]
    how, names = ONE_OF.get(shape, ("anyOf", ()))
    return {
        "description": (shape.__doc__ or "").strip(),
        "type": "object",
        "properties": {name: _value(key) for name, key in known.items()},
        "additionalProperties": _level() if shape is Expect else False,
        **({"required": required} if required else {}),
        **({how: [{"required": [name]} for name in names]} if names else {}),
    }


def _value(key: Key) -> Schema:
    """Return what may stand under a key, with what it means and what it is when it is left out."""
    single = _shape_or_leaf(key)
    if key.is_list:
        value: Schema = {"type": "array", "items": single, **_sizes(key, "minItems", "maxItems")}
    elif key.is_open:
        value = {"type": "object", "additionalProperties": single, **_sizes(key, "", "maxProperties")}
    else:
        value = single
    default = {} if key.default is None else {"default": key.default}
    return {"description": key.field.description or "", **value, **default}


def _shape_or_leaf(key: Key) -> Schema:
    if not key.shapes:
        return _leaf(key.leaf, key.examples)
    references: list[Schema] = [{"$ref": f"#/$defs/{shape.__name__}"} for shape in key.shapes]
    return references[0] if len(references) == 1 else {"anyOf": references}


def _leaf(form: Form | None, shown: tuple[object, ...]) -> Schema:
    """Return how one value is written, with what it may be."""
    if form is None:
        return {}
    if form.words:
        return {"const": form.words[0]} if len(form.words) == 1 else {"enum": list(form.words)}
    written: Schema = {"type": "string", **({"pattern": form.pattern} if form.pattern else {})}
    examples: Schema = {"examples": list(shown)} if shown else {}
    if form.kind == "string":
        return {**written, **examples}
    if form.pattern is None:
        return {"type": form.kind, **examples}
    return {"anyOf": [{"type": form.kind}, written], **examples}


def _level() -> Schema:
    """Return how the level of a metric is written: keys, or its mean alone."""
    mean = keys(Level)["mean"]
    return {
        "description": mean.field.description or "",
        "anyOf": [_leaf(mean.leaf, mean.examples), {"$ref": "#/$defs/Level"}],
    }


def _sizes(key: Key, least: str, most: str) -> Schema:
    bounds: Schema = {}
    for part in key.field.metadata:
        for bound, name in (("min_length", least), ("max_length", most)):
            if name and hasattr(part, bound):
                bounds[name] = getattr(part, bound)
    return bounds
