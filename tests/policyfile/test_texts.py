"""Text that needs no quotes is text to every reader of YAML, old or new."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rollout.policyfile.forms import Unfit
from rollout.policyfile.nodes import Scalar
from rollout.policyfile.texts import text

READERS = {}
for version in ((1, 1), (1, 2)):
    READERS[version] = YAML(typ="safe", pure=True)
    READERS[version].version = version


def is_accepted(written: str) -> bool:
    scalar = Scalar(written, 1)
    try:
        return not scalar.is_null and text(scalar) == written
    except Unfit:
        return False


@settings(max_examples=1_000)
@given(st.text("0123456789eExXobB._:+-afyYnNosSinftrul=~TZ", min_size=1, max_size=10))
@example("1.10")
@example("1e3")
@example(".5e3")
@example("0o17")
@example("017")
@example("1:30")
@example("190:20:30.15")
@example("2026-10-01")
@example("=")
@example("-_0")
@example("0b1_0")
@example("+.inf")
def test_what_needs_no_quotes_is_text_to_every_reader(written: str) -> None:
    if not is_accepted(written):
        return
    for version, reader in READERS.items():
        try:
            found = reader.load(f"[{written}]")
        except Exception:  # noqa: BLE001, S112 (not a value at all: the library's own affair)
            continue
        assert found == [written], version


@pytest.mark.parametrize(
    "written",
    [
        "1.10",
        "on",
        "NO",
        "y",
        "1e3",
        "0o17",
        "017",
        "0x1F",
        "1:30",
        "12:30:45",
        "1_000",
        ".5e3",
        "2026-10-01",
        "=",
    ],
)
def test_what_some_reader_takes_for_something_else_needs_quotes(written: str) -> None:
    assert not is_accepted(written)
    assert text(Scalar(written, 1, is_quoted=True)) == written


@pytest.mark.parametrize("written", ["churn-v2", "1.4.2-rc1", "growth ml", "v1", "on-call", "10m", "a=b"])
def test_plain_words_need_none(written: str) -> None:
    assert is_accepted(written)
