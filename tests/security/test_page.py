"""The page: every row names a test that there is, and every test here has a row."""

from __future__ import annotations

import re

from tests.command import ROOT

ROW = re.compile(r"`((?:tests/\w+/)?(test_\w+\.py))::(test_\w+)`")
DEFINED = re.compile(r"^def (test_\w+)\(", re.MULTILINE)


def test_the_page_names_every_test_and_no_other() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named: dict[str, set[str]] = {}
    for path, _, test in ROW.findall(page):
        named.setdefault(path if "/" in path else f"tests/security/{path}", set()).add(test)
    for path, tests in named.items():
        assert tests <= set(DEFINED.findall((ROOT / path).read_text())), path
    for file in (ROOT / "tests" / "security").glob("test_*.py"):
        if file.name != "test_page.py":
            assert set(DEFINED.findall(file.read_text())) == named[f"tests/security/{file.name}"], file.name
