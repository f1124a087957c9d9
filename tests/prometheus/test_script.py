"""`make prometheus` with tools that only pretend, and what a test says where the server is absent."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command import ROOT, environment
from tests.prometheus.real import program

TOOLS = ("cat", "chmod", "dirname", "echo", "id", "mkdir", "mktemp", "mv", "rm", "sh", "tail", "touch")
DOWNLOADS = """
case "$*" in *"{fails}"*) echo "no network" >&2; exit 100 ;; esac
case "$*" in *download*) touch prometheus_2_amd64.deb ;; esac
"""
UNPACKS = """
mkdir -p "$3/usr/bin"
for name in prometheus promtool; do
    printf '#!/bin/sh\\nexit {code}\\n' >"$3/usr/bin/$name"; chmod +x "$3/usr/bin/$name"
done
"""


class Checkout:
    """A copy of the script, and a PATH with nothing but the tools that it may use."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._bin = folder / "checkout", folder / "bin"
        self._bin.mkdir()
        (self.folder / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "prometheus.sh", self.folder / "scripts")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, tool
            (self._bin / tool).symlink_to(found)

    def pretend(self, name: str, body: str) -> None:
        """Put a tool on the PATH that does this, and writes down that it was called."""
        calls = self.folder / "calls"
        (self._bin / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{calls}"\n{body}')
        (self._bin / name).chmod(0o755)

    def debian(self, *, fails: str = "nothing", code: int = 0) -> None:
        self.pretend("apt-get", DOWNLOADS.format(fails=fails))
        self.pretend("dpkg-deb", UNPACKS.format(code=code))

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["scripts/prometheus.sh"],
            cwd=self.folder,
            env={**environment(self.folder), "PATH": str(self._bin)},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def left(self) -> set[str]:
        """What lies in the cache."""
        cache = self.folder / ".cache"
        return {str(path.relative_to(cache)) for path in cache.rglob("*")} if cache.exists() else set()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


READY = {"prometheus", "prometheus/prometheus", "prometheus/promtool"}


def test_a_package_is_unpacked_once_and_nothing_else_is_left(checkout: Checkout) -> None:
    checkout.debian()
    assert checkout.run().returncode == 0
    assert checkout.left == READY
    called = len(checkout.calls)
    assert checkout.run().returncode == 0
    assert len(checkout.calls) == called


def test_without_lists_of_packages_it_gets_its_own(checkout: Checkout) -> None:
    checkout.debian()
    checkout.pretend(
        "apt-get",
        'case "$*" in *Dir::State*) ;; *) exit 100 ;; esac\n' + DOWNLOADS.format(fails="nothing"),
    )
    assert checkout.run().returncode == 0
    assert [call.split()[-1] for call in checkout.calls if call.startswith("apt-get")] == [
        "prometheus",
        "update",
        "prometheus",
    ]
    assert checkout.left == READY


def test_no_network(checkout: Checkout) -> None:
    checkout.debian(fails="-o")
    done = checkout.run()
    assert done.returncode == 2
    assert "no network" in done.stderr
    assert "rollout: Prometheus cannot be downloaded: check the network and apt's sources" in done.stderr
    assert checkout.left == set()


def test_a_package_that_does_not_run_is_not_kept(checkout: Checkout) -> None:
    checkout.debian(code=1)
    done = checkout.run()
    assert (done.returncode, checkout.left) == (2, set())
    assert "rollout: this system's Prometheus package does not run here" in done.stderr


def test_neither_apt_nor_homebrew(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 2
    assert "rollout: neither apt-get nor Homebrew here: install Prometheus" in done.stderr


def test_homebrew_installs_it_where_there_is_no_apt(checkout: Checkout) -> None:
    checkout.pretend("brew", "")
    assert checkout.run().returncode == 0
    assert checkout.calls == ["brew install --quiet prometheus"]


def test_one_on_the_path_is_enough(checkout: Checkout) -> None:
    checkout.pretend("prometheus", "")
    checkout.pretend("promtool", "")
    done = checkout.run()
    assert (done.returncode, done.stderr, checkout.calls) == (0, "", [])


def test_elsewhere_a_test_without_a_server_says_what_it_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="real Prometheus server answers; run `make prometheus`"):
        program("prometheus-that-nobody-has")


def test_in_ci_nothing_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI skips nothing: run `make prometheus`"):
        program("prometheus-that-nobody-has")
