"""Identify a policy by what it means: comments, order and `60s` for `1m` change nothing.

A value that equals its default is left out, so a field that is added later, with a default, changes no digest
of a policy that runs already. The other side of this: the default of an existing field must never change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from rollout.domain.policy import Policy


def digest(policy: Policy) -> str:
    """Return what identifies a policy: equal for equal policies, sha256 of `canonical`."""
    return f"sha256:{hashlib.sha256(canonical(policy).encode()).hexdigest()}"


def canonical(policy: Policy) -> str:
    """Return a policy as canonical JSON: sorted keys, no blanks, no defaults."""
    content = _content(policy)
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _content(value: object) -> object:
    if is_dataclass(value):
        return {
            field.name: _content(getattr(value, field.name))
            for field in fields(value)
            if _is_required(field) or getattr(value, field.name) != _default(field)
        }
    if isinstance(value, Mapping):
        return {str(key): _content(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_content(part) for part in value]
    return value


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()
