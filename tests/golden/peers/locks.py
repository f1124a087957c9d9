"""Renewing the peers' locks: exact, hashed, and without any index address."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

LOCKS: Final = Path(__file__).parent / "locks"
_OPTIONS: Final = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-config",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--quiet",
)
# Built from source on top of the others, so their own dependencies are not asked for again.
_ALONE: Final = frozenset({"confseq", "headers"})


def renew() -> None:
    """Write every lock again with the newest releases that its `.in` file allows."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise SystemExit("peers: no uv found: run 'make setup' first")
    surroundings = {name: value for name, value in os.environ.items() if not name.endswith("FIND_LINKS")}
    for wanted in sorted(LOCKS.glob("*.in")):
        lock = wanted.with_suffix(".lock")
        print(f"  {lock.name}")
        command = [uv, "pip", "compile", wanted.name, "--output-file", lock.name, "--upgrade", *_OPTIONS]
        command += ["--no-deps"] if wanted.stem in _ALONE else ["--override", "overrides.txt"]
        subprocess.run(command, cwd=LOCKS, env=surroundings, check=True)
