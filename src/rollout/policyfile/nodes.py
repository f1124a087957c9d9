"""YAML text → a tree that remembers lines, and refuses what hides a value from its reader.

Only the events of the YAML library are used: no value is ever made by it, so `on`, `010` and `1e3` stay text
until the key that holds them says what it wants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamStartEvent,
)

from rollout.policyfile.finding import Path, shortened

MAXIMUM_DEPTH: Final = 16
MAXIMUM_NODES: Final = 10_000
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


@dataclass(frozen=True, slots=True)
class Fault:
    """Something about the text itself that is refused."""

    line: int | None
    path: Path
    what: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds: the tree, unless it cannot be trusted, and what is refused."""

    root: Node | None
    faults: tuple[Fault, ...]


class _Refused(Exception):
    """Reading cannot go on."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def compose(text: str) -> Document:
    """Return the tree of a text with one document; never raises, whatever the text."""
    composer = _Composer(text)
    try:
        root = composer.document()
    except _Refused as refused:
        return Document(None, (*composer.faults, refused.fault))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not YAML: {error.problem or error.context}"
        return Document(None, (*composer.faults, Fault(mark.line + 1 if mark else None, (), what)))
    except (YAMLError, OverflowError, ValueError) as error:  # the last two: "\UFFFFFFFF"
        what = f"not YAML: {shortened(str(error).partition(chr(10))[0])}"
        return Document(None, (*composer.faults, Fault(None, (), what)))
    return Document(None if composer.hides_values else root, tuple(composer.faults))


class _Composer:
    def __init__(self, text: str) -> None:
        self.faults: list[Fault] = []
        self.hides_values = False
        """Something stands elsewhere than where it is read, so what is read cannot be trusted."""
        self._events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))
        self._nodes = 0

    def document(self) -> Node:
        first = next(self._events)
        if isinstance(first, StreamStartEvent):
            first = next(self._events)
        if not isinstance(first, DocumentStartEvent):
            raise _Refused(Fault(None, (), "empty", "write a policy: docs/policy.md shows one"))
        if first.version or first.tags:
            raise _Refused(
                Fault(1, (), "YAML directives are not allowed", "remove the line that begins with %")
            )
        root = self._node(next(self._events), ())
        next(self._events)  # the document's end
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                what = "a second document in one file"
                raise _Refused(Fault(_line(event), (), what, "give each policy a file of its own"))
        return root

    def _node(self, event: Event, path: Path) -> Node:
        line = _line(event)
        self._nodes += 1
        if len(path) > MAXIMUM_DEPTH:
            raise _Refused(Fault(line, path[:3], f"nested deeper than {MAXIMUM_DEPTH} levels"))
        if self._nodes > MAXIMUM_NODES:
            raise _Refused(Fault(line, (), f"more than {MAXIMUM_NODES} keys and values"))
        if isinstance(event, NodeEvent):
            self._check_openness(event, path)
        match event:
            case SequenceStartEvent():
                return self._items(path, line)
            case MappingStartEvent():
                return self._keys(path, line)
            case ScalarEvent():
                return Scalar(event.value, line, is_quoted=event.style is not None)
            case _:
                return Scalar("", line)

    def _items(self, path: Path, line: int) -> Items:
        items = [self._node(event, (*path, index)) for index, event in enumerate(self._until_end())]
        return Items(tuple(items), line)

    def _keys(self, path: Path, line: int) -> Keys:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for event in self._until_end():
            key = self._key(event, path)
            value = self._node(next(self._events), (*path, key))
            if key in entries:
                what = f"duplicate key, first on line {lines[key]}"
                self.faults.append(Fault(_line(event), (*path, key), what, "remove one of them"))
            elif not (key == "<<" and self.hides_values):
                entries[key], lines[key] = value, _line(event)
        return Keys(entries, lines, line)

    def _key(self, event: Event, path: Path) -> str:
        if isinstance(event, NodeEvent):
            self._check_openness(event, path)
        if not isinstance(event, ScalarEvent):
            raise _Refused(
                Fault(_line(event), path, "a key must be a word", "write each key as `key: value`")
            )
        if event.value == "<<" and event.style is None:
            self._hidden(event, path, "merge keys are not allowed", "write the keys out")
        return str(event.value)

    def _check_openness(self, event: NodeEvent, path: Path) -> None:
        remedy = "write the value where it is used"
        if isinstance(event, AliasEvent):
            self._hidden(event, path, f"aliases are not allowed: *{shortened(str(event.anchor))}", remedy)
        elif event.anchor is not None:
            self._hidden(event, path, f"anchors are not allowed: &{shortened(str(event.anchor))}", remedy)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._hidden(event, path, f"tags are not allowed: {shortened(str(tag))}", "remove the tag")

    def _hidden(self, event: Event, path: Path, what: str, remedy: str) -> None:
        self.hides_values = True
        self.faults.append(Fault(_line(event), path, what, remedy))

    def _until_end(self) -> Iterator[Event]:
        return takewhile(lambda event: not isinstance(event, CollectionEndEvent), self._events)


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


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
