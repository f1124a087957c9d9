"""Run the `rollout` command as a user does: a process of its own, in an environment without our settings."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests import warm
from tests.leaks import refuse

ROOT = Path(__file__).parent.parent
LIMIT_S = 60
ROLLOUT = ("-m", "rollout")
LEFT_OUT = ("ROLLOUT_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "MAKE", "MFLAGS", "PYTHON", "TERM")


def environment(home: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a user who has set nothing, with these changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    return {**kept, "HOME": str(home), "PYTHONUTF8": "1", **changes}


def run(
    *arguments: str, home: Path, program: Sequence[str] | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run the command, with variables changed, and return what it printed and its exit code.

    Python's own start and imports are shared between runs where that makes no difference; a `program` is
    always started from nothing.
    """
    ended = _run(arguments, home, program, changes)
    refuse("standard error of " + " ".join(("rollout", *arguments[:2])), ended.stderr)
    return ended


def _run(
    arguments: Sequence[str], home: Path, program: Sequence[str] | None, changes: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    if program is None and warm.fits(changes):
        return warm.run(arguments, environment(home, **changes), home, within_s=LIMIT_S)
    return subprocess.run(
        [sys.executable, *(program or ROLLOUT), *arguments],
        env=environment(home, **changes),
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )


def script(verb_body: str) -> tuple[str, str]:
    """Return a program that is the command with one more verb, `extra`, which does this."""
    lines = [
        "import sys, click, rollout.cli.root as root",
        "@root.rollout.command('extra')",
        "@click.pass_obj",
        "def extra(invocation):",
        *(f"    {line}" for line in verb_body.splitlines()),
        "from rollout.__main__ import main",
        "main()",
    ]
    return ("-c", "\n".join(lines))
