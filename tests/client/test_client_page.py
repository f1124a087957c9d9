"""docs/client.md: each of its examples runs as it is written, against a real door."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollout.api.access import application_of
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.outcomes import Door, outcomes_router
from rollout.api.told import Meaning, Remembered
from rollout.logs import wall_clock
from tests.api.doomed import door
from tests.api.serving import TOKEN, serving
from tests.command import ROOT

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
METRICS = {"converted": frozenset([Meaning.DID_IT]), "revenue": frozenset([Meaning.AMOUNT])}


def current(found: Door) -> Door:
    """Return a door with a clock that goes, where the page's metrics are asked for."""
    asked = Remembered(lambda: METRICS, now_s=lambda: 0.0)
    return Door(
        found.hashing, found.spool, asked, lambda: int(wall_clock().timestamp() * 1e6), found.allowance
    )


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_example_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    entrance = current(door(tmp_path))
    app = create_app([outcomes_router(entrance, application_of([TOKEN], Applications()))])
    names = {"control_url": "", "app_token": TOKEN}
    with serving(app) as url:
        names["control_url"] = url
        exec(compile(BLOCKS[number], f"docs/client.md {number}", "exec"), names)  # noqa: S102 (our own page)
    entrance.spool.close()
    told = tmp_path / "outcomes.jsonl"
    lines = told.read_text().splitlines() if told.exists() else []
    assert len(lines) == BLOCKS[number].count("recorder.record_outcome(")


def test_the_page_has_its_examples() -> None:
    assert len(BLOCKS) == 3
