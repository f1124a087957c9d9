"""A YAML text as a tree that remembers lines; every leaf is still the text that was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from rollout.policyfile.finding import Path, shortened

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: its text as written, without quotes."""

    text: str
    line: int
    is_quoted: bool = False

    @property
    def is_null(self) -> bool:
        """Nothing was written, or null."""
        return not self.is_quoted and self.text in NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping: the value of each key, and the key's line."""

    entries: Mapping[str, Node]
    lines: Mapping[str, int]
    line: int


Node: TypeAlias = Scalar | Items | Keys


def walk(root: Node | None, path: Path) -> tuple[Node | None, int | None]:
    """Return what stands at a path and its line; for a key that is missing, nothing and its parent's line."""
    node, line = root, None if root is None else root.line
    for part in path:
        match node, part:
            case Keys(entries, lines, _), str() if part in entries:
                node, line = entries[part], lines[part]
            case Items(items, _), int() if part < len(items):
                node = items[part]
                line = node.line
            case _:
                return None, line
    return node, line


def written(root: Node, path: Path) -> Path:
    """Return a path without what is below a leaf: `12%` may stand for `{mean: 12%}`."""
    for length in range(len(path)):
        if isinstance(walk(root, path[:length])[0], Scalar):
            return path[:length]
    return path


def plain(node: Node) -> object:
    """Return the tree as dictionaries and lists whose leaves are still scalars with their lines."""
    match node:
        case Scalar():
            return node
        case Items():
            return [plain(item) for item in node.items]
        case Keys():
            return {key: plain(value) for key, value in node.entries.items()}


def shown(node: Node) -> str:
    """Write what stands at a node, as the file has it."""
    match node:
        case Items():
            return "a list"
        case Keys():
            return "keys"
        case Scalar(is_quoted=True):
            return repr(shortened(node.text))
        case Scalar():
            return "nothing" if node.is_null else shortened(node.text)
