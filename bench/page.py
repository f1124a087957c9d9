"""Where measured tables stand in a page: between two marks with their name."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, name: str, text: str) -> None:
    """Put a table in the place of the one that stands between its marks; raises when there are none."""
    begin, end = f"<!-- {name} measured: begin -->", f"<!-- {name} measured: end -->"
    old = page.read_text(encoding="utf-8")
    if old.count(begin) != 1 or old.count(end) != 1:
        raise ValueError(f"{page.name}: needs one {begin} and one {end}")
    before, rest = old.split(begin)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}", encoding="utf-8")
