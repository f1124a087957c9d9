"""The README's first policy, followed word by word with two servers, reaches a promotion."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.command import ROOT, environment
from tests.e2e.crowd import Crowd, Manner
from tests.e2e.models import free_port, model

WITHIN_S = 240.0
CROWD = Manner("/predict", "x-user-id", "converted", {"control": 0.2, "candidate1": 0.5}, per_second=160.0)
UP, START, CALL, WATCH = "rollout up", "rollout start", "curl", "--watch"


def commands() -> list[str]:
    """Return what the section tells its reader to type."""
    section = (ROOT / "README.md").read_text().split("## Your first policy")[1].split("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


class Reader:
    """Types commands in a folder with the checkout's `.venv` and `policies`, at ports of the test's own."""

    def __init__(self, home: Path) -> None:
        self.home, self.proxy_port, self.control_port = home, free_port(), free_port()
        self.control_url = f"http://127.0.0.1:{self.control_port}"
        self.environment = environment(home, ROLLOUT_CONTROL_URL=self.control_url)
        for name in (".venv", "policies"):
            (home / name).symlink_to(ROOT / name)

    def process(self, command: str) -> subprocess.Popen[str]:
        asked = command.replace("8600", str(self.proxy_port)).replace("8640", str(self.control_port))
        if UP in command:
            asked = f"exec {asked} --proxy-port {self.proxy_port} --control-port {self.control_port}"
        pipe = subprocess.PIPE
        return subprocess.Popen(
            ["/bin/sh", "-c", asked], cwd=self.home, env=self.environment, stdout=pipe, stderr=pipe, text=True
        )

    def type(self, command: str) -> str:
        """Run a command to its end, and return what it prints."""
        with self.process(command) as process:
            out, err = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0, (command, out, err)
        return out


@pytest.mark.slow
def test_a_reader_of_the_readme_promotes_a_model(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    typed = commands()
    before, after = typed[: typed.index(f".venv/bin/{UP}")], typed[typed.index(f".venv/bin/{UP}") + 1 :]
    with model("1") as baseline, model("2") as candidate:
        reader.type(before[0])
        policy = tmp_path / "mine.yaml"
        text = policy.read_text()
        policy.write_text(
            text.replace("http://127.0.0.1:9001", baseline).replace("http://127.0.0.1:9002", candidate)
        )
        for command in before[1:]:
            reader.type(command)
        with reader.process(f".venv/bin/{UP}") as house:
            assert house.stdout is not None
            assert house.stdout.readline().startswith("proxy:")
            token = (tmp_path / ".local/state/rollout/token").read_text().strip()
            said = {}
            with Crowd(CROWD, reader.proxy_port, reader.control_url, token) as crowd:
                for command in after:
                    said[command] = reader.type(command)
            house.send_signal(signal.SIGTERM)
            house.communicate(timeout=WITHIN_S)
    assert house.returncode == 0
    calls = [out for command, out in said.items() if command.startswith(CALL)]
    assert calls[0] in {"1", "2"}
    assert '"accepted":1' in calls[1].replace(" ", "")
    (watched,) = [out for command, out in said.items() if WATCH in command]
    assert "promoted" in watched
    assert (tmp_path / "promoted").exists()
    assert "<svg" in (tmp_path / "first.html").read_text()
    assert crowd.memory.failures == []
