"""The rule that imports go down only: it holds, and it breaks when a forbidden import is injected."""

import shutil
import subprocess
import sys
import tomllib
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from tests.command import ROOT

# One room of each floor, from the ground up.
STAIRS = ("stats", "domain", "ports", "lake", "settings", "wiring")
ADAPTERS = ("controller", "commands", "policyfile", "envoy", "lake", "argo", "prometheus", "store", "notify")
PURE_FLOORS = ("stats", "domain")
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}

FORBIDDEN = [
    # (contract, module, what it imports)
    *[("floors", lower, f"import rollout.{upper}") for lower, upper in combinations(STAIRS, 2)],
    *[("floors", one, f"import rollout.{other}") for one, other in pairwise(ADAPTERS)],
    ("floors", "stats", "import rollout.errors"),
    ("floors", "stats", "from rollout.cli import run"),
    ("floors", "errors", "import rollout.stats"),
    ("floors", "cli.extra", "import rollout.__main__"),
    ("floors", "envoy.deep.inside", "from rollout.store.deep import row"),
    ("floors", "room_without_a_floor", ""),
    *[
        ("pure", "stats", f"import {name}")
        for name in ("time", "random", "os", "logging", "asyncio", "socket")
    ],
    *[
        ("pure", "stats.extra", f"def late():\n    import {name}")
        for name in ("pydantic", "structlog", "datetime")
    ],
    *[("hera", room, "import hera") for room in ("cli.extra", "controller", "store")],
    *[("sqlmodel", room, "from sqlmodel import Field") for room in ("cli.extra", "controller", "argo")],
    *[("sqlmodel", room, "from sqlalchemy.orm import Session") for room in ("api", "lake")],
    *[("apprise", room, "import apprise") for room in ("cli.extra", "controller", "store")],
    *[("duckdb", room, "import duckdb") for room in ("settings", "store", "api.pages")],
]
ALLOWED = [
    *[(upper, f"import rollout.{lower}") for lower, upper in combinations(STAIRS, 2)],
    *[(room, "import rollout.errors") for room in ("domain", "lake", "cli.extra")],
    ("cli.extra", "import rollout.settings, rollout.logs"),
    ("argo.deep", "import hera"),
    ("store.deep", "import sqlmodel, sqlalchemy"),
    ("lake", "import duckdb"),
    ("notify.deep", "import apprise"),
    ("stats.extra", "import math, numpy, scipy.special"),
]


def add(package: Path, module: str, content: str) -> None:
    """Append to a module of a copy; make it, and the packages above it, where they do not exist."""
    *folders, name = module.split(".")
    folder = package
    for part in folders:
        folder = folder / part
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    inside = folder / name / "__init__.py"
    file = inside if inside.exists() else folder / f"{name}.py"
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{content}\n")


def house(folder: Path) -> Path:
    """Copy the package and its contracts."""
    shutil.copytree(
        ROOT / "src" / "rollout", folder / "rollout", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder / "rollout"


def build_what_is_imported(package: Path, content: str) -> None:
    """Make the rooms that an injected import names, where they are still to come."""
    for word in content.replace(",", " ").split():
        if word.startswith("rollout."):
            room = word.removeprefix("rollout.")
            place = package / room.replace(".", "/")
            if not place.exists() and not place.with_suffix(".py").exists():
                add(package, room, "")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the copy with the project's own contracts."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_house_as_it_is_holds(tmp_path: Path) -> None:
    house(tmp_path)
    result = lint(tmp_path)
    assert result.returncode == 0, result.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in result.stdout


@pytest.mark.parametrize(("contract", "module", "content"), FORBIDDEN)
def test_a_forbidden_import_breaks_its_contract(
    contract: str, module: str, content: str, tmp_path: Path
) -> None:
    package = house(tmp_path)
    build_what_is_imported(package, content)
    add(package, module, content)
    result = lint(tmp_path)
    assert result.returncode == 1
    # The verdict may be followed by how many imports the contract allows.
    broken = [line.partition(" BROKEN")[0] for line in result.stdout.splitlines() if " BROKEN" in line]
    assert CONTRACTS[contract]["name"] in broken


def test_allowed_imports_break_nothing(tmp_path: Path) -> None:
    package = house(tmp_path)
    for module, content in ALLOWED:
        build_what_is_imported(package, content)
        add(package, module, content)
    result = lint(tmp_path)
    assert result.returncode == 0, result.stdout


def test_every_pure_floor_that_exists_is_under_the_rule() -> None:
    existing = {f"rollout.{floor}" for floor in PURE_FLOORS if (ROOT / "src" / "rollout" / floor).exists()}
    assert set(CONTRACTS["pure"]["source_modules"]) == existing


def test_every_contract_is_broken_by_some_test() -> None:
    assert {contract for contract, _, _ in FORBIDDEN} == set(CONTRACTS)
