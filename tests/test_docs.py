"""The pages: every link resolves, every command they name exists, and what is made from the code is fresh."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rollout.cli.root import VERBS
from rollout.cli.settings import reference
from rollout.policyfile.collisions import collisions
from rollout.policyfile.reading import read
from rollout.policyfile.reference import renewed
from rollout.settings.reading import variable
from rollout.settings.settings import Settings
from tests.command import ROOT, environment

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
MAKE = re.compile(r"`make ([a-z-]+)[^`]*`|^make ([a-z-]+)", re.MULTILINE)
VERB = re.compile(r"`rollout ([a-z]+)[^`]*`")
VARIABLE = re.compile(r"\bROLLOUT_[A-Z_]+\b")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# Addresses of a person's machine, and what only one workplace has.
LEAK = re.compile(r"/(?:root|home|Users)/|localhost:\d|\b10\.\d+\.\d+\.\d+\b")


def of(pages: list[Path], pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return what the pages name, with the page."""
    return sorted(
        {
            (str(page.relative_to(ROOT)), next(filter(None, match.groups()), match[0]))
            for page in pages
            for match in pattern.finditer(page.read_text(encoding="utf-8"))
        }
    )


@pytest.mark.parametrize(("page", "target"), of(PAGES, LINK))
def test_every_link_resolves(page: str, target: str) -> None:
    if "://" not in target:
        path, _, _ = target.partition("#")
        assert not path or ((ROOT / page).parent / path).exists()


@pytest.mark.parametrize(("page", "target"), of(PAGES, MAKE))
def test_every_make_target_named_exists(page: str, target: str) -> None:
    assert target in TARGETS, page


@pytest.mark.parametrize(("page", "verb"), of([ROOT / "README.md", ROOT / "CONTRIBUTING.md"], VERB))
def test_every_verb_named_exists(page: str, verb: str) -> None:
    assert verb in VERBS, page


@pytest.mark.parametrize(
    ("page", "name"), of([*PAGES, ROOT / "Makefile"], re.compile(f"({VARIABLE.pattern})"))
)
def test_every_variable_named_is_a_setting(page: str, name: str) -> None:
    assert name in {variable(setting) for setting in Settings.model_fields} | {"ROLLOUT_"}, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_machine(page: Path) -> None:
    assert not LEAK.search(page.read_text(encoding="utf-8"))


def blocks() -> list[str]:
    """Return the commands of the README's shell blocks."""
    return [
        line
        for block in re.findall(
            r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
        )
        for line in block.splitlines()
    ]


def run_as_written(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the README where it may write, beside everything that the repository has."""
    for entry in ROOT.iterdir():
        (folder / entry.name).symlink_to(entry)
    program, *arguments = command.split()
    # Running the tests inside the tests would not end.
    asked = ["make", "--dry-run"] if program == "make" else [sys.executable, "-m", "rollout"]
    assert program in {"make", ".venv/bin/rollout"}
    return subprocess.run(
        [*asked, *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("command", blocks())
def test_every_command_of_the_readme_works(command: str, tmp_path: Path) -> None:
    result = run_as_written(command, tmp_path)
    assert result.returncode == 0, result.stderr


EXAMPLES = sorted(file.stem for file in (ROOT / "policies").glob("*.yaml"))
SHOWN = [command for command in blocks() if "churn" in command]


@pytest.mark.parametrize("command", SHOWN)
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "churn"])
def test_what_the_readme_does_with_one_example_works_with_each(
    command: str, name: str, tmp_path: Path
) -> None:
    few = " --replicates 20 --every 6h" if " simulate " in command else ""
    result = run_as_written(command.replace("churn", name) + few, tmp_path)
    assert result.returncode == 0, result.stderr
    policy = read((ROOT / "policies" / f"{name}.yaml").read_text(encoding="utf-8"), name).policy
    assert policy is not None
    assert policy.name in result.stdout


def test_the_readme_plans_and_simulates_an_example_and_names_them_all() -> None:
    assert {command.split()[1] for command in SHOWN} == {"plan", "simulate"}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(policies/(\w+)\.yaml\)", text)) == set(EXAMPLES)


def test_the_settings_page_is_made_from_the_code() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference(Settings), "run: make docs"


def test_the_table_of_keys_is_made_from_the_code() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    assert page == renewed(page), "run: make docs"


POLICIES = {
    **{file.name: file.read_text(encoding="utf-8") for file in sorted((ROOT / "policies").glob("*.yaml"))},
    **{
        f"{page.name} {number}": block
        for page in PAGES
        for number, block in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        )
        if "kind: RolloutPolicy" in block
    },
}


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_shown_lints_clean(name: str) -> None:
    assert read(POLICIES[name], name).findings == ()
    assert not LEAK.search(POLICIES[name])


def test_policies_collide_with_none_of_their_neighbours() -> None:
    files = sorted((ROOT / "policies").glob("*.yaml"))
    assert files
    assert collisions([read(file.read_text(encoding="utf-8"), file.name) for file in files]) == []


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    for page in folder.glob("[0-9]*.md"):
        text = page.read_text()
        assert page.name in listed
        for part in ("**Context.**", "**Decision.**", "**Consequences.**", "**Alternatives.**"):
            assert part in text, page.name


def test_every_ignored_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    rules = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8")]
    for line in rules.splitlines():
        if re.search(r'"[A-Z]+[0-9]*"', line) and "select" not in line:
            assert "#" in line, line


def test_the_architecture_draws_the_rooms_that_there_are() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^\| \d \| `(\w+)` \|", text, flags=re.MULTILINE))
    source = ROOT / "src" / "rollout"
    rooms = {path.stem for path in source.glob("*.py")} | {
        path.parent.name for path in source.glob("*/__init__.py")
    }
    assert drawn == rooms - {"__init__"}
