"""YAML text → a tree with lines, and what is refused in it because it hides a value from its reader.

Only the events of the YAML library are used: no value is ever made by it, so `on`, `010` and `1e3` stay text
until the key that holds them says what it wants. An alias is never followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

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

from rollout.policyfile.events import events
from rollout.policyfile.finding import Path, shortened
from rollout.policyfile.nodes import Items, Keys, Node, Scalar

MAXIMUM_DEPTH: Final = 16
MAXIMUM_NODES: Final = 10_000
TOO_MUCH: Final = "name a policy, not another file"
STANDARD_TAGS: Final = "tag:yaml.org,2002:"
BROKEN: Final = "look at brackets, quotes and indentation, there and above"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something about the text itself that is refused."""

    line: int | None
    path: Path
    what: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds: the tree, unless reading ended early, and what is refused."""

    root: Node | None
    faults: tuple[Fault, ...]
    hidden: frozenset[Path] = frozenset()
    """Where something else is meant than stands there: nothing can be said of it, or of what is below."""


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
        remedy = "indent with blanks" if "'\\t'" in what else BROKEN
        return Document(None, (*composer.faults, Fault(mark.line + 1 if mark else None, (), what, remedy)))
    except (YAMLError, OverflowError, ValueError) as error:  # the last two: "\UFFFFFFFF"
        what = f"not YAML: {shortened(str(error).partition(chr(10))[0])}"
        return Document(None, (*composer.faults, Fault(None, (), what, BROKEN)))
    return Document(root, tuple(composer.faults), frozenset(composer.hidden))


class _Composer:
    def __init__(self, text: str) -> None:
        self.faults: list[Fault] = []
        self.hidden: set[Path] = set()
        self._events: Iterator[Event] = events(text)
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
            what = f"nested deeper than {MAXIMUM_DEPTH} levels"
            raise _Refused(Fault(line, path[:3], what, "close the brackets that are open, or indent less"))
        if self._nodes > MAXIMUM_NODES:
            raise _Refused(Fault(line, (), f"more than {MAXIMUM_NODES} keys and values", TOO_MUCH))
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
            else:
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
            self._fault(event, path, "merge keys are not allowed", "write the keys out")
            self.hidden.add(path)
        return str(event.value)

    def _check_openness(self, event: NodeEvent, path: Path) -> None:
        remedy = "write the value where it is used"
        if isinstance(event, AliasEvent):
            self._fault(event, path, f"aliases are not allowed: *{shortened(str(event.anchor))}", remedy)
            self.hidden.add(path)
        elif event.anchor is not None:
            self._fault(event, path, f"anchors are not allowed: &{shortened(str(event.anchor))}", remedy)
        tag = getattr(event, "tag", None)
        if tag is not None:
            written = shortened(str(tag).replace(STANDARD_TAGS, "!!"))
            self._fault(event, path, f"tags are not allowed: {written}", "remove the tag")
            self.hidden.add(path)

    def _fault(self, event: Event, path: Path, what: str, remedy: str) -> None:
        self.faults.append(Fault(_line(event), path, what, remedy))

    def _until_end(self) -> Iterator[Event]:
        return takewhile(lambda event: not isinstance(event, CollectionEndEvent), self._events)


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1
