"""The page of all verbs is made from the code, and every example on it is a command that exists."""

from __future__ import annotations

import shlex

import click
import pytest

from rollout.cli.page import examples, page, verbs
from rollout.cli.root import VERBS, rollout
from tests.command import ROOT

CONTEXT = click.Context(rollout, info_name="rollout")
KNOWN = dict(verbs(CONTEXT, rollout))


def test_the_page_is_made_from_the_code() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page(), "run: make docs"


def test_every_verb_is_on_it() -> None:
    assert {path.split()[1] for path in KNOWN} == set(VERBS)
    text = page()
    assert all(f"\n## {path}\n" in text for path in KNOWN)


@pytest.mark.parametrize("path", KNOWN)
def test_every_verb_has_help_and_examples_that_parse(path: str) -> None:
    command = KNOWN[path]
    assert command.help
    shown = [line.split("  ")[0] for line in examples(command)]
    assert any(line.startswith(path) for line in shown), shown
    for line in shown:
        for part in line.split(" && "):
            if part.startswith("rollout "):
                parsed(part)


def parsed(line: str) -> None:
    """Parse a command as a shell and the command line would; raise for an option that does not exist."""
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])[1:]
    _, words, _ = rollout.make_parser(CONTEXT).parse_args(words)
    if not words:
        return
    found = next(name for name in sorted(KNOWN, key=len, reverse=True) if _begins(words, name))
    command, rest = KNOWN[found], words[len(found.split()) - 1 :]
    command.make_parser(click.Context(command, info_name=found)).parse_args(rest)


def _begins(words: list[str], name: str) -> bool:
    own = name.split()[1:]
    return words[: len(own)] == own
