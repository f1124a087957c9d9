"""The lock: exact and hashed for every platform, with no address in it, and complete."""

import re
import tomllib
from functools import cache

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.command import ROOT

PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>.*))?")
PLATFORMS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_system": kernel,
    }
    for python in ("3.11", "3.12", "3.13")
    for system, kernel in (("linux", "Linux"), ("darwin", "Darwin"))
]


@cache
def entries() -> tuple[tuple[str, ...], ...]:
    """Split the lock into one entry per package: the pin, then its hashes."""
    joined = (ROOT / "requirements.lock").read_text().replace(" \\\n", "\n")
    starts = re.split(r"\n(?=[a-z])", joined.strip())
    return tuple(tuple(line.strip() for line in entry.splitlines()) for entry in starts)


@cache
def pins() -> dict[str, re.Match[str]]:
    """Index the pins by name."""
    found = [PIN.fullmatch(entry[0]) for entry in entries()]
    return {match["name"]: match for match in found if match}


def test_every_entry_is_exact_and_hashed() -> None:
    assert len(pins()) == len(entries())
    for pin, *hashes in entries():
        assert hashes, pin
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", value) for value in hashes), pin


def test_there_is_no_address_and_no_path() -> None:
    text = (ROOT / "requirements.lock").read_text()
    for sign in ("://", "/", "@", "index", "find-links", "file:", ".com", ".org", ".io"):
        assert sign not in text, sign


def test_another_lock_with_addresses_is_kept_out() -> None:
    assert not (ROOT / "uv.lock").exists()
    assert "uv.lock" in (ROOT / ".gitignore").read_text().splitlines()


def declared() -> list[str]:
    """Return every requirement of `pyproject.toml`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    in_groups = [item for group in groups for item in group if isinstance(item, str)]
    return [*project["project"]["dependencies"], *in_groups, *project["build-system"]["requires"]]


@pytest.mark.parametrize("text", declared())
def test_every_dependency_is_locked_within_its_bounds(text: str) -> None:
    requirement = Requirement(text)
    pin = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin["version"])


@pytest.mark.parametrize("text", declared())
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda it: f"{it['sys_platform']}-{it['python_version']}")
def test_it_is_installed_on_every_platform(text: str, platform: dict[str, str]) -> None:
    marker = pins()[canonicalize_name(Requirement(text).name)]["marker"]
    assert marker is None or Marker(marker).evaluate(platform)
