"""The clock of a house's processes: real ones, which see a time of day that a test sets while they run."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("clock.c")
COMPILED_WITHIN_S: Final = 60.0
_OFFSET: Final = struct.Struct("=q")


class NoClock(Exception):
    """There is no C compiler, or no way to put something before the C library."""


class Clock:
    """Shared by everything that is started with `variables`; the monotonic clocks stay true."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise NoClock("install a C compiler: cc")
        self._library, self._file = folder / "clock.so", folder / "clock"
        made = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", self._library, SOURCE, "-ldl"],
            capture_output=True,
            text=True,
            timeout=COMPILED_WITHIN_S,
            check=False,
        )
        if made.returncode != 0:
            raise NoClock(made.stderr)
        self._file.write_bytes(_OFFSET.pack(0))
        with self._file.open("r+b") as stream:
            self._shared = mmap.mmap(stream.fileno(), _OFFSET.size)

    @property
    def variables(self) -> Mapping[str, str]:
        """What the environment of a process needs, that shall see this clock."""
        return {"LD_PRELOAD": str(self._library), "FAULTS_CLOCK": str(self._file)}

    def set(self, offset_us: int) -> None:
        """Let it be off by this from now on, for everybody at once."""
        self._shared[:] = _OFFSET.pack(offset_us)

    def close(self) -> None:
        self._shared.close()
