"""The table of keys: everything that can be written is in it, with meaning, default and error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from rollout.policyfile.anatomy import keys
from rollout.policyfile.composing import compose
from rollout.policyfile.finding import worded
from rollout.policyfile.nodes import Items, Keys, Node, Scalar
from rollout.policyfile.reading import parse, read
from rollout.policyfile.reference import HEADER, table
from rollout.policyfile.schema import schema
from rollout.policyfile.shapes import Expect, Resilience, Spec
from tests.command import ROOT
from tests.policyfile.files import FULL, GOOD, changed

ROWS: Final = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table().splitlines()[2:]]
KEYS: Final = [row[0].strip("`") for row in ROWS]
OPEN: Final = {"headers", "parameters"}
TEXTS: Final = [FULL, *(file.read_text() for file in sorted((ROOT / "policies").glob("*.yaml")))]


def places(node: Node, path: str = "") -> Iterator[str]:
    """Yield every key that a file has, as the table writes it."""
    match node:
        case Keys(entries):
            for name, value in entries.items():
                yield from _below(path, name, value)
        case Items(items):
            for item in items:
                if not isinstance(item, Scalar):
                    yield from places(item, f"{path}[{_kind(item)}]")
        case Scalar():
            pass


def _below(path: str, name: str, value: Node) -> Iterator[str]:
    place = f"{path}.{name}" if path else name
    if path == "spec.expect" and name not in keys(Expect):
        yield from places(value, f"{path}.<metric>") if isinstance(value, Keys) else [f"{path}.<metric>.mean"]
        return
    yield f"{place}.<name>" if name in OPEN else place
    if name not in OPEN:
        yield from places(value, place)


def _kind(item: Node) -> str:
    """Return how the table calls an entry: a metric by its type, a step by what it does."""
    entries = item.entries if isinstance(item, Keys) else {}
    if "role" in entries:
        kind = entries.get("type")
        return kind.text if isinstance(kind, Scalar) else "threshold"
    steps = {"mirror": "mirror", "setWeight": "weight", "approve": "approval"}
    return next((kind for key, kind in steps.items() if key in entries), "")


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: re.search(r"name: ([a-z0-9-]+)", text)[1])  # type: ignore[index]
def test_every_key_that_is_written_somewhere_has_a_row(text: str) -> None:
    root = compose(text).root
    assert root is not None
    written = set(places(root))
    assert len(written) > 20
    assert written <= set(KEYS)


def test_every_key_of_the_schema_has_a_row() -> None:
    definitions: dict[str, Any] = schema()["$defs"]  # type: ignore[assignment]  # ours
    named = {key for mapping in definitions.values() for key in mapping["properties"]}
    assert named <= {re.sub(r"\.<name>$", "", key).rpartition(".")[2] for key in KEYS}
    assert {f"spec.{key}" for key in keys(Spec)} <= set(KEYS)


def test_each_row_is_complete_and_stands_once() -> None:
    assert len(KEYS) == len(set(KEYS)) > 150
    assert all(len(row) == len(HEADER.splitlines()[0].split("|")[1:-1]) for row in ROWS)
    for key, form, _, meaning, refusal in ROWS:
        assert form, key
        assert meaning.endswith((".", "?")), key
        assert refusal.startswith("must "), key


def test_the_defaults_are_those_that_a_policy_gets() -> None:
    for key, field in keys(Resilience).items():
        row = ROWS[KEYS.index(f"spec.resilience.{key}")]
        if not field.is_list:
            assert row[2] == f"`{field.default}`"
    bare = changed(
        "  resilience: {timeout: 3s, perTryTimeout: 300ms, fallback: baseline, maxFallback: 1%}\n", ""
    )
    written = ", ".join(
        f"{key}: {ROWS[KEYS.index(f'spec.resilience.{key}')][2][1:-1]}" for key in keys(Resilience)
    )
    full = changed("  expect:", f"  resilience: {{{written}}}\n  expect:", bare)
    assert parse(full, "a.yaml") == parse(bare, "a.yaml")


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("spec.steps[weight].setWeight", "setWeight: 1%", "setWeight: a little"),
        ("spec.metrics[binary].window", "window: 24h", "window: a day"),
        ("spec.baseline.version", '"1.4.2"', "1.10"),
        ("spec.assignment", '{unit: "header:x-user-id", salt: churn-2026q4}', "users"),
        ("spec.metrics[error-rate].role", "role: guardrail", "role: judge"),
    ],
)
def test_a_wrong_value_is_answered_with_what_the_row_says(key: str, old: str, new: str) -> None:
    (finding,) = read(changed(old, new, GOOD), "a.yaml").findings[:1]
    assert finding.what == ROWS[KEYS.index(key)][4]
    assert ROWS[KEYS.index(key)][4] in worded(finding)


def test_the_findings_that_the_page_shows_are_what_lint_says() -> None:
    name = "policies/churn.yaml"
    text = (ROOT / name).read_text(encoding="utf-8")
    wrong = changed("minEffect:", "minEfect:", changed("setWeight: 50%", "setWeight: 120%", text))
    said = "".join(f"{worded(finding)}\n" for finding in read(wrong, name).findings)
    assert f"```\n{said}```" in (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
