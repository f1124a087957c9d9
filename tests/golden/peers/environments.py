"""The peers' own virtual environments, made from hashed locks and made again only when a lock changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.golden.peers.locks import LOCKS

ROOT: Final = Path(__file__).parents[3] / ".venv-peers"
_PIP: Final = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
# Every package is named and hashed in a lock, those that build the others too.
_LOCKED: Final = ("--require-hashes", "--no-deps", "--no-build-isolation")


@dataclass(frozen=True, slots=True)
class Environment:
    """Peers that live together; their locks are installed one after the other."""

    name: str
    locks: tuple[str, ...]

    @property
    def home(self) -> Path:
        """Where it lives."""
        return ROOT / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.home / "bin" / "python"


ANYTIME: Final = Environment("anytime", ("anytime", "headers", "confseq"))
GBSTATS: Final = Environment("gbstats", ("gbstats",))
FRAMES: Final = Environment("frames", ("anytime",))
"""Data frames and Parquet, for benchmarks."""


def ready(environment: Environment) -> Path:
    """Return the environment's interpreter, after making the environment if it is missing or out of date."""
    wanted = _digest(environment)
    stamp = environment.home / "locks.sha256"
    if not stamp.exists() or stamp.read_text() != wanted:
        _make(environment)
        stamp.write_text(wanted)
    return environment.python


def _make(environment: Environment) -> None:
    if environment is ANYTIME and shutil.which("c++") is None:
        raise SystemExit("peers: no C++ compiler found (c++): the package confseq is compiled from source")
    print(f"  making {environment.home.relative_to(ROOT.parent)} (some minutes, once)", flush=True)
    ROOT.mkdir(exist_ok=True)
    (ROOT / ".gitignore").write_text("*\n")
    venv.create(environment.home, clear=True, with_pip=True)
    for lock in environment.locks:
        print(f"    installing {lock}.lock", flush=True)
        command = [str(environment.python), *_PIP, *_LOCKED, "--requirement", str(LOCKS / f"{lock}.lock")]
        if subprocess.run(command, env=_surroundings(environment), check=False).returncode:
            raise SystemExit(f"peers: installing {lock}.lock failed: see above")


def _surroundings(environment: Environment) -> dict[str, str]:
    """Return the variables with which a C++ build finds this environment's own tools and headers."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment.home / "lib" / version / "site-packages"
    headers = packages / "boostinator"
    cmake = packages / "pybind11" / "share" / "cmake" / "pybind11"
    return {
        **os.environ,
        "PATH": f"{environment.python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "CMAKE_ARGS": f"-DBoost_INCLUDE_DIR={headers} -Dpybind11_DIR={cmake}",
        "CPLUS_INCLUDE_PATH": str(headers),
    }


def _digest(environment: Environment) -> str:
    texts = [(LOCKS / f"{lock}.lock").read_bytes() for lock in environment.locks]
    return hashlib.sha256(b"\0".join([sys.version.encode(), *texts])).hexdigest()
