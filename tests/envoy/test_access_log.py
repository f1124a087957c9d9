"""The logs' fields are those that the page tells of."""

from __future__ import annotations

import re

from rollout.envoy.access_log import ATTEMPT_FIELDS, FIELDS
from tests.command import ROOT

ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<meaning>.*) \|$", re.MULTILINE)


def test_the_page_tells_of_every_field() -> None:
    page = (ROOT / "docs" / "data-plane.md").read_text(encoding="utf-8")
    [section] = [one for one in page.split("\n## ") if one.startswith("The log\n")]
    told = ROW.findall(section)
    assert told == [(field.name, field.meaning) for field in (*FIELDS, *ATTEMPT_FIELDS)]
