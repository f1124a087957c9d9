"""The page: its table is made from the code, and its examples are what they say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rollout.notify.receivers import read
from rollout.notify.reference import renewed
from tests.command import ROOT

PAGE = ROOT / "docs" / "notifications.md"
ASK = "import sys, apprise; print(*[bool(apprise.Apprise.instantiate(url)) for url in sys.argv[1:]])"


def known(addresses: Sequence[str]) -> list[str]:
    """Return whether apprise knows each address; it is imported elsewhere, because it warns."""
    asked = [sys.executable, "-c", ASK, *addresses]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()


def test_the_table_of_events_is_made_from_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page), "run: make docs"


def test_the_file_of_receivers_on_the_page_can_be_read_and_apprise_knows_every_address(
    tmp_path: Path,
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    file = tmp_path / "receivers.toml"
    file.write_text("\n".join(line for line in text.splitlines() if not line.startswith("ca_file")))
    found = read(file)
    assert list(found) == ["ml-growth", "people", "on-call", "ci"]
    assert known([one.url for one in found.values() if not one.is_webhook]) == ["True"] * 3


def test_the_other_addresses_on_the_page_are_known_too() -> None:
    addresses = ("pagerduty://integration-key@api-key/", "workflows://host/workflow/signature")
    assert all(address in PAGE.read_text(encoding="utf-8") for address in addresses)
    assert known(addresses) == ["True"] * 2
