"""A policy as if its `expect` said something else: traffic and baselines that are not in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from rollout.domain.policy import Policy
from rollout.policyfile.build import policy_of
from rollout.policyfile.combinations import impossible
from rollout.policyfile.draft import draft
from rollout.policyfile.faults import complaints
from rollout.policyfile.finding import Complaint, Path
from rollout.policyfile.nodes import Keys, Node, Scalar, plain
from rollout.policyfile.shapes import File

EXPECT: Final[Path] = ("spec", "expect")


def expecting(root: Node, said: Mapping[tuple[str, ...], str]) -> tuple[Policy | None, list[Complaint]]:
    """Return the policy of a file's tree with these values below `expect`, or what is wrong with them.

    They are checked by the same rules as the file.
    """
    for path, value in said.items():
        root = _put(root, (*EXPECT, *path), Scalar(value, 0))
    content = plain(root)
    try:
        checked, found = File.model_validate(content), []
    except ValidationError as error:
        checked, found = None, complaints(error.errors(include_url=False))
    found += impossible(draft(content))
    return (policy_of(checked) if checked is not None and not found else None), found


def _put(node: Node | None, path: Path, value: Scalar) -> Node:
    """Return a tree with another value at a path; `12%` on the way there is read as `{mean: 12%}`."""
    if not path:
        return value
    match node:
        case Keys():
            entries, lines = dict(node.entries), dict(node.lines)
        case Scalar() if not node.is_null:
            entries, lines = {"mean": node}, {"mean": node.line}
        case _:
            entries, lines = {}, {}
    key = str(path[0])
    entries[key] = _put(entries.get(key), path[1:], value)
    lines.setdefault(key, value.line)
    return Keys(entries, lines, 0 if node is None else node.line)
