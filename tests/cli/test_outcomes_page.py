"""The page about files of outcomes: its commands print what stands below them."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

from rollout.api.access import application_of
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.outcomes import outcomes_router
from tests.api.doomed import door
from tests.api.serving import TOKEN, serving
from tests.command import ROOT, run
from tests.outcomefile.files import spooled, written

PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Outcomes in files") :]
MARCH_US = 1_772_400_000_000_000


def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    (file,) = re.findall(r"^```csv\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^```console\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    written(tmp_path, file, "orders.csv")
    entrance = replace(door(tmp_path), now_us=lambda: MARCH_US)
    said = []
    with serving(create_app([outcomes_router(entrance, application_of([TOKEN], Applications()))])) as url:
        for command in re.findall(r"^\$ (.*)$", shown, re.MULTILINE):
            program, *words = shlex.split(command)
            assert program == "rollout"
            result = run(*words, home=tmp_path, ROLLOUT_CONTROL_URL=url, ROLLOUT_TOKEN=TOKEN)
            said.append(f"$ {command}\n{result.stdout}")
    entrance.spool.close()
    assert "".join(said) == shown
    assert len(spooled(tmp_path)) == 4
