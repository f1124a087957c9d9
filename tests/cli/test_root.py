"""The group: help that teaches, verbs found by their nearest name, and a start that stays fast."""

import sys
from pathlib import Path

import pytest

from rollout import __version__
from rollout.cli.root import VERBS
from rollout.errors import EXIT_CODE_MEANINGS
from tests.command import run

HEAVY = ("numpy", "scipy", "statsmodels", "pandas", "pydantic", "structlog", "rich")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_teaches(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*arguments, home=tmp_path)
    assert result.returncode == 0
    assert result.stderr == ""
    assert "Examples:" in result.stdout
    for meaning in EXIT_CODE_MEANINGS.values():
        assert meaning in result.stdout
    for verb in VERBS:
        assert f"\n  {verb} " in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_examples_and_whole_sentences(verb: str, tmp_path: Path) -> None:
    result = run(verb, "--help", home=tmp_path)
    assert result.returncode == 0
    assert "Examples:" in result.stdout
    assert "Exit codes:" in result.stdout
    assert "..." not in result.stdout.split("\n", 1)[1]


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("settings", "--help")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom rollout.cli.run import run\n"
        f"run({list(arguments)!r})\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = run(home=tmp_path, program=("-c", code))
    assert result.stdout.endswith("heavy: []\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("setings",), "rollout: no verb 'setings'; did you mean 'settings'?"),
        (("xyzzy",), "rollout: no verb 'xyzzy'; see `rollout --help`"),
        (("--versoin",), "rollout: no option '--versoin'; did you mean '--version'?"),
        (("settings", "--outptu"), "rollout settings: no option '--outptu'; did you mean '--output'?"),
        (
            ("settings", "-o", "jsn"),
            "rollout settings: --output must be text, json or markdown (got 'jsn'); did you mean 'json'?",
        ),
        (
            ("--output", "json", "settings"),
            "rollout: no option '--output'; write it after the verb: rollout VERB --output …",
        ),
        (
            ("version", "--settings", "team.toml"),
            "rollout version: no option '--settings'; write it before the verb: rollout --settings … version",
        ),
        (
            ("completion",),
            "rollout completion: SHELL is missing: bash, zsh or fish; see `rollout completion --help`",
        ),
        (
            ("version", "twice"),
            "rollout version: got unexpected extra argument (twice); see `rollout version --help`",
        ),
        (("version", "\x1b[31m"), "rollout version: got unexpected extra argument (\\x1b[31m); see"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    arguments: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    result = run(*arguments, home=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(complaint)
    assert result.stderr.count("\n") == 1


def test_the_installed_command_is_the_module(tmp_path: Path) -> None:
    installed = Path(sys.executable).with_name("rollout")
    code = (
        "import runpy, sys\nsys.argv = ['rollout', '--version']\n"
        f"runpy.run_path({str(installed)!r}, run_name='__main__')"
    )
    for program in (("-m", "rollout", "--version"), ("-c", code)):
        result = run(home=tmp_path, program=program)
        assert (result.returncode, result.stdout) == (0, f"rollout {__version__}\n")
