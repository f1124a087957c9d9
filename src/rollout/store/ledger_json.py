"""Domain values as canonical JSON and strictly back: what was not written here is not read here.

A field that is missing has its default, so that a newer program reads what an older one wrote; an unknown
field is refused, because dropping it would lose what a newer program meant.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from rollout.domain.decision import Reason
from rollout.store.array_json import WrongArray, array_of, is_array, plain_array

# JSON has no word for these, and an interval may be open on one side.
_NOT_FINITE: Final = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_AS_THEY_ARE: Final = frozenset({bool, int, str})
Kind = TypeVar("Kind")


class Unreadable(ValueError):
    """What stands in the ledger is not what this program writes."""


def written(value: object, *, without: frozenset[str] = frozenset()) -> str:
    """Return a value as canonical JSON: sorted keys, no blanks; `without` leaves out fields at the top."""
    return dumped(plain(value, without=without))


def dumped(content: object) -> str:
    """Return what `plain` gave as text; equal content is equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read(kind: type[Kind], text: str, **given: object) -> Kind:
    """Return the value that was written; `given` are the fields that were left out, or raise `Unreadable`."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"{kind.__name__}: not JSON: {error}") from None
    return built(kind, content, **given)


def built(kind: type[Kind], content: object, **given: object) -> Kind:
    """Return the value of which this is the content, as `plain` gave it."""
    return cast("Kind", _built(kind, content, kind.__name__, given))


def plain(value: object, *, without: frozenset[str] = frozenset()) -> object:  # noqa: PLR0911 (one for each kind)
    """Return a value as JSON has it; `without` leaves out fields at the top: they are not worked out."""
    if value is None or type(value) in _AS_THEY_ARE:
        return value
    match value:
        case Enum():
            return value.name if isinstance(value, Reason) else value.value
        case np.generic():
            return plain(value.item())
        case np.ndarray():
            return plain_array(value)
        case bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(float(value))
        case tuple() | frozenset():
            parts = [plain(part) for part in value]
            return parts if isinstance(value, tuple) else sorted(parts, key=_order)
        case _ if is_dataclass(value):
            return {
                name: plain(getattr(value, name))
                for name in _fields(cast("Any", type(value)))
                if name not in without
            }
        case Mapping():
            return {str(key): plain(part) for key, part in value.items()}
        case _:
            raise TypeError(f"no JSON for {type(value).__name__}")


def _value(kind: Any, content: object, where: str) -> object:  # noqa: ANN401 (a type, as annotations write it)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        present = [one for one in inner if one is not NoneType]
        if content is None and len(present) < len(inner):
            return None
        return _value(_meant(present, content), content, where)
    if origin in {tuple, frozenset}:
        return (_tuple if origin is tuple else _set)(inner, content, where)
    if origin is Mapping:
        found = _expect(dict, content, where)
        return {
            _key(inner[0], key, where): _value(inner[1], part, f"{where}.{key}")
            for key, part in found.items()
        }
    if is_dataclass(kind):
        return _built(kind, content, where, {})
    return _scalar(kind, content, where)


def _meant(kinds: Sequence[Any], content: object) -> Any:  # noqa: ANN401 (as above)
    """Return which of several kinds was written: their fields tell them apart, so JSON needs no tag."""
    if isinstance(content, dict):
        fitting = (kind for kind in kinds if is_dataclass(kind) and _fits(kind, content))
        arrays = (kind for kind in kinds if is_array(content) and get_origin(kind) is np.ndarray)
        return next(arrays, next(fitting, kinds[0]))
    return next((kind for kind in kinds if get_origin(kind) is not np.ndarray), kinds[0])


def _fits(kind: Any, content: Mapping[str, object]) -> bool:  # noqa: ANN401 (as above)
    return content.keys() <= _fields(kind).keys() and not _lacks(kind, content.keys())


def _lacks(kind: Any, found: Collection[str]) -> list[str]:  # noqa: ANN401 (as above)
    """Return the fields that should have been written and were not."""
    return [
        name
        for name, (field, _) in _fields(kind).items()
        if name not in found and field.default is MISSING and field.default_factory is MISSING
    ]


def _key(kind: Any, key: str, where: str) -> object:  # noqa: ANN401
    """Return a key as it was: JSON has text alone."""
    if kind is str:
        return key
    if not key.isdecimal() or str(int(key)) != key:
        raise Unreadable(f"{where}: the key {key!r} is no number")
    return int(key)


def _scalar(kind: Any, content: object, where: str) -> object:  # noqa: ANN401
    if get_origin(kind) is np.ndarray:
        return _array(content, where)
    if kind is Reason:
        name = _expect(str, content, where)
        if name not in Reason.__members__:
            raise Unreadable(f"{where}: no reason is called {name!r}")
        return Reason[name]
    if issubclass(kind, Enum):
        try:
            return kind(content)
        except ValueError:
            raise Unreadable(f"{where}: {content!r} is no {kind.__name__}") from None
    if kind is float:
        if isinstance(content, str) and content in _NOT_FINITE:
            return _NOT_FINITE[content]
        return float(_expect((int, float), content, where))
    return _expect(kind, content, where)


def _array(content: object, where: str) -> object:
    if isinstance(content, bool | int | float):
        return np.asarray(content)[()]  # a single number of an array, as numpy hands it out
    if not is_array(content):
        raise Unreadable(f"{where}: {content!r} is no array")
    try:
        return array_of(cast("Mapping[str, object]", content))
    except WrongArray as error:
        raise Unreadable(f"{where}: {error}") from None


def _expect(kind: type[Kind] | tuple[type[Kind], ...], content: object, where: str) -> Kind:
    is_stray_bool = isinstance(content, bool) and kind is not bool
    if is_stray_bool or not isinstance(content, kind):
        raise Unreadable(f"{where}: {type(content).__name__} {content!r} is of the wrong kind")
    return content


def _tuple(inner: tuple[Any, ...], content: object, where: str) -> tuple[object, ...]:
    parts = _expect(list, content, where)
    kinds = [inner[0]] * len(parts) if inner[-1] is Ellipsis else list(inner)
    if len(kinds) != len(parts):
        raise Unreadable(f"{where}: {len(parts)} parts, not {len(kinds)}")
    return tuple(
        _value(kind, part, f"{where}[{index}]")
        for index, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    )


def _order(part: object) -> str:
    """Sort by what is written: a set has no order of its own, and each program's would be another."""
    return json.dumps(part, sort_keys=True)


def _set(inner: tuple[Any, ...], content: object, where: str) -> frozenset[object]:
    parts = _expect(list, content, where)
    found = frozenset(_value(inner[0], part, f"{where}[{index}]") for index, part in enumerate(parts))
    if len(found) < len(parts):
        raise Unreadable(f"{where}: the same part twice")
    return found


def _built(kind: Any, content: object, where: str, given: Mapping[str, object]) -> object:  # noqa: ANN401
    found = _expect(dict, content, where)
    known = _fields(kind)
    unknown = sorted(found.keys() - known.keys()) + sorted(found.keys() & given.keys())
    missing = _lacks(kind, found.keys() | given.keys())
    if unknown or missing:
        raise Unreadable(f"{where}: unknown {unknown}, missing {missing}")
    parts = {name: _value(known[name][1], part, f"{where}.{name}") for name, part in found.items()}
    return kind(**parts, **given)


@cache
def _fields(kind: Any) -> dict[str, tuple[Field[object], object]]:  # noqa: ANN401 (as above)
    hints = get_type_hints(kind)
    return {field.name: (field, hints[field.name]) for field in fields(kind)}
