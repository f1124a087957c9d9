"""`make setup` with Pythons that only pretend: what is missing gets a sentence, what is done stays done."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command import ROOT, environment

TOOLS = (
    *("awk", "cat", "chmod", "cksum", "cp", "cut", "dirname", "echo", "env", "grep", "make", "mkdir", "mv"),
    *("rm", "sed", "sh", "sleep", "tail", "touch"),
)

# Answers what the script asks as Python does, counts what it installs, fails when a file beside it says so.
PRETENDED = r"""#!/bin/sh
case "$*" in
*print*) echo "VERSION" ;;
*sys.exit*) [ "VERSION" != 3.9 ] ;;
*"import ensurepip"*) [ ! -e "BIN/without-venv" ] ;;
*"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && touch .venv/bin/installed-only-half ;;
*"-m pip"*)
    [ ! -e "BIN/without-network" ] || { echo "NewConnectionError: refused"; exit 1; }
    [ ! -e "BIN/other-hash" ] || { echo "THESE PACKAGES DO NOT MATCH THE HASHES"; exit 1; }
    case "$*" in *--require-hashes*) echo packages ;; *) echo project ;; esac >>"BIN/installed"
    rm -f .venv/bin/installed-only-half ;;
esac
"""


class Checkout:
    """A copy of what the set-up reads, and a PATH with nothing but the tools it may use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.folder / "scripts").mkdir(parents=True)
        for name in ("Makefile", "requirements.lock", "pyproject.toml", "scripts/set_up.sh"):
            shutil.copy(ROOT / name, self.folder / name)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, tool
            (self.bin / tool).symlink_to(found)

    def python(self, version: str, name: str = "python3") -> None:
        """Put a Python on the PATH that pretends to be of this version."""
        file = self.bin / name
        file.write_text(PRETENDED.replace("VERSION", version).replace("BIN", str(self.bin)))
        file.chmod(0o755)

    def tell(self, name: str) -> Path:
        """Make every pretended Python behave like this."""
        file = self.bin / name
        file.touch()
        return file

    def make(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run make with only our tools."""
        return subprocess.run(
            [shutil.which("make") or "make", *arguments],
            cwd=self.folder,
            env={**environment(self.folder, CI=""), "PATH": str(self.bin), **changes},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def complaint(self, *arguments: str) -> str:
        """Run the set-up, which must fail, and return our one sentence."""
        result = self.make("setup", *arguments)
        assert result.returncode == 2
        (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("rollout: ")]
        assert not (self.folder / ".venv" / "set-up.stamp").exists()
        return sentence

    @property
    def installed(self) -> list[str]:
        """What has been installed so far, in order."""
        file = self.bin / "installed"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout whose PATH has no Python."""
    return Checkout(tmp_path)


def test_no_python(checkout: Checkout) -> None:
    assert checkout.complaint() == (
        "rollout: no 'python3' found: install Python 3.11 or newer, "
        "or name one: make PYTHON=/path/to/python3.12"
    )


def test_an_old_python(checkout: Checkout) -> None:
    checkout.python("3.9")
    assert checkout.complaint() == (
        "rollout: 'python3' is Python 3.9, but 3.11 or newer is needed: install it, or name one: "
        "make PYTHON=python3.12"
    )


def test_another_python_can_be_named(checkout: Checkout) -> None:
    checkout.python("3.9")
    checkout.python("3.12", "python3.12")
    assert checkout.make("setup", "PYTHON=python3.12").returncode == 0
    assert checkout.installed == ["packages", "project"]
    assert checkout.make("setup").returncode == 0
    assert checkout.installed == ["packages", "project"]


def test_naming_another_version_makes_it_anew(checkout: Checkout) -> None:
    checkout.python("3.11")
    checkout.python("3.12", "python3.12")
    checkout.make("setup")
    checkout.make("setup", "PYTHON=python3.12")
    assert checkout.installed == ["packages", "project"] * 2


def test_no_venv_module(checkout: Checkout) -> None:
    checkout.python("3.11")
    checkout.tell("without-venv")
    assert checkout.complaint() == (
        "rollout: 'python3' cannot make virtual environments: install its venv module "
        "(Debian, Ubuntu: apt install python3.11-venv)"
    )


def test_no_network_and_then_a_network(checkout: Checkout) -> None:
    checkout.python("3.11")
    trouble = checkout.tell("without-network")
    assert checkout.complaint().startswith(
        "rollout: the package registry cannot be reached: check the network"
    )
    trouble.unlink()
    assert checkout.make("setup").returncode == 0
    assert checkout.installed == ["packages", "project"]
    assert not (checkout.folder / ".venv/bin/installed-only-half").exists()


def test_another_package_than_the_lock_says(checkout: Checkout) -> None:
    checkout.python("3.11")
    checkout.tell("other-hash")
    assert checkout.complaint().startswith("rollout: a package is not the one in requirements.lock")


def test_a_second_run_does_nothing_even_with_new_times(checkout: Checkout) -> None:
    checkout.python("3.11")
    checkout.make("setup")
    for name in ("requirements.lock", "pyproject.toml", "scripts/set_up.sh"):
        os.utime(checkout.folder / name)
    result = checkout.make("setup")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert checkout.installed == ["packages", "project"]


def test_a_changed_project_is_installed_again_and_a_changed_lock_makes_all_anew(checkout: Checkout) -> None:
    checkout.python("3.11")
    checkout.make("setup")
    with (checkout.folder / "pyproject.toml").open("a") as stream:
        stream.write("\n# changed\n")
    checkout.make("setup")
    assert checkout.installed == ["packages", "project", "project"]
    with (checkout.folder / "requirements.lock").open("a") as stream:
        stream.write("\n# changed\n")
    checkout.make("setup")
    assert checkout.installed == ["packages", "project", "project", "packages", "project"]


def test_an_interrupted_set_up_is_made_anew(checkout: Checkout) -> None:
    checkout.python("3.11")
    checkout.make("setup")
    (checkout.folder / ".venv/set-up.stamp").unlink()
    left = checkout.folder / ".cache/set-up.lock"
    left.mkdir(parents=True)
    (left / "pid").write_text("4194305")  # beyond the largest that Linux gives
    assert checkout.make("setup").returncode == 0
    assert checkout.installed == ["packages", "project"] * 2
    assert not left.exists()


def test_a_moved_checkout_is_made_anew(checkout: Checkout) -> None:
    checkout.python("3.11")
    checkout.make("setup")
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    assert checkout.make("setup").returncode == 0
    assert checkout.installed == ["packages", "project"] * 2


def test_two_at_once_install_once(checkout: Checkout) -> None:
    checkout.python("3.11")
    both = [
        subprocess.Popen(
            [shutil.which("make") or "make", "setup"],
            cwd=checkout.folder,
            env={**environment(checkout.folder, CI=""), "PATH": str(checkout.bin)},
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert checkout.installed == ["packages", "project"]


def test_only_ci_is_given_a_metrics_server(checkout: Checkout) -> None:
    """Elsewhere the tests that need one say so, and `make prometheus` brings it."""
    checkout.python("3.11")
    script = checkout.folder / "scripts" / "prometheus.sh"
    script.write_text("#!/bin/sh\necho brought\n")
    script.chmod(0o755)
    assert checkout.make("setup").stdout == ""
    assert checkout.make("setup", CI="true").stdout == "brought\n"
    assert checkout.make("prometheus").stdout == "brought\n"


def test_help_needs_nothing(checkout: Checkout) -> None:
    result = checkout.make()
    assert result.returncode == 0
    for target in (
        "test",
        "check",
        "bench",
        "calibrate",
        "nulls",
        "fuzz",
        "peers",
        "lock",
        "format",
        "docs",
        "clean",
    ):
        assert f"\n  {target} " in result.stdout
