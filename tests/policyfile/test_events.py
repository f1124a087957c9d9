"""The faster events are those of the library, sign by sign, and so are its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event

from rollout.policyfile.events import events
from tests.policyfile.mutations import EXAMPLES, mutated
from tests.policyfile.test_golden import WRONG

ATTRIBUTES: Final = (
    "anchor",
    "tag",
    "implicit",
    "value",
    "style",
    "flow_style",
    "explicit",
    "version",
    "tags",
)


def as_it_comes(text: str) -> Iterable[Event]:
    """Yield the events of the library without our shortcuts."""
    found: Iterable[Event] = YAML(typ="safe", pure=True).parse(text)
    return found


def heard(source: Callable[[str], Iterable[Event]], text: str) -> list[object]:
    """Return everything that a source of events says of a text, its error last."""
    said: list[object] = []
    try:
        for event in source(text):
            marks = [(mark.line, mark.column, mark.index) for mark in (event.start_mark, event.end_mark)]
            said.append((type(event), *marks, *(str(getattr(event, name, "-")) for name in ATTRIBUTES)))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        said.append((type(error), error.problem, mark and (mark.line, mark.column)))
    except (YAMLError, ValueError, OverflowError) as error:
        said.append((type(error), str(error)))
    return said


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text[:20])
def test_examples(text: str) -> None:
    found = heard(events, text)
    assert len(found) > 50
    assert found == heard(as_it_comes, text)


def test_wrong_files() -> None:
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in WRONG]
    assert [heard(events, text) for text in texts] == [heard(as_it_comes, text) for text in texts]


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_mutated_policies(first: int) -> None:
    for seed in range(first, first + 50):
        text = mutated(EXAMPLES[seed % len(EXAMPLES)], seed, changes=4)
        assert heard(events, text) == heard(as_it_comes, text), seed


@settings(max_examples=500)
@given(st.text("ab:-?#{}[],&*!|>'\"%@`\t\r\n \x85\u2028\u2029\ufeff\x00", max_size=40))
@example("a: b # c\r\nd: e\x85f: g\u2028# h\u2029i: j")
@example("# only a comment")
@example("a: 'b\n  # no comment\n  c'")
@example("a: |\n  # no comment\n  b\n# comment\nc: d")
@example("\ufeffa: b")
def test_any_signs(text: str) -> None:
    assert heard(events, text) == heard(as_it_comes, text)
