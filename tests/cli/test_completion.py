"""`rollout completion`: a real bash completes verbs, options and choices."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rollout.cli.root import VERBS
from tests.command import environment, run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str, tmp_path: Path) -> None:
    result = run("completion", shell, home=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"_ROLLOUT_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("rollout", "se"), {"settings"}),
        (("rollout", ""), set(VERBS)),
        (("rollout", "settings", "--out"), {"--output"}),
        (("rollout", "settings", "--output", "j"), {"json"}),
        (("rollout", "completion", ""), {"bash", "fish", "zsh"}),
    ],
)
def test_bash_completes(words: tuple[str, ...], offered: set[str], tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(run("completion", "bash", home=tmp_path).stdout)
    program = tmp_path / "bin" / "rollout"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rollout "$@"\n')
    program.chmod(0o755)
    quoted = " ".join(f"'{word}'" for word in words)
    asked = (
        f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        'complete -p rollout > /dev/null && _rollout_completion rollout; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    changes = environment(tmp_path)
    result = subprocess.run(
        ["bash", "--norc", "-c", asked],
        env={**changes, "PATH": f"{program.parent}:{changes['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.stderr == ""
    assert set(result.stdout.split()) == offered
