"""JSON for a reviewer's eyes: whatever fits stands on one line."""

from __future__ import annotations

import json

WIDTH = 118


def laid_out(value: object, indent: int = 0, before: int = 0) -> str:
    """Return the value as JSON; `before` is how much already stands on its first line."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + before + len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = " " * (indent + 1)
    if isinstance(value, dict):
        keys = {key: f"{json.dumps(key)}: " for key in value}
        parts = [keys[key] + laid_out(one, indent + 1, len(keys[key])) for key, one in value.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + "\n" + " " * indent + "}"
    parts = [laid_out(one, indent + 1) for one in value]
    return "[\n" + ",\n".join(inner + part for part in parts) + "\n" + " " * indent + "]"
