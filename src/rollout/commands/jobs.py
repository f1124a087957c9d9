"""The jobs port for local commands: every state is in files, so a restart neither loses nor repeats one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout.commands import supervise
from rollout.domain.experiment import JobState
from rollout.domain.policy import LocalCommand
from rollout.errors import Problem, Retry, Stop

START_WITHIN_S: Final = 30.0
KILL_AFTER_S: Final = 10.0
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""What an action gets of our own environment; everything else stays here, secrets above all."""
_NOBODY: Final = {"pid": 0, "birth": None}
"""Who carries out what was stopped before it began."""
_NEVER_BEGUN: Final = -1
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Ended:
    """How an action ended: its exit code (negative: the signal that ended it), and why."""

    code: int
    cause: str


class LocalCommands:
    """Commands with a folder each below `folder`, begun in `working_folder`.

    An action that starts a session of its own, as daemons do, leaves its group and is not ended with it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        working_folder: Path,
        environment: Mapping[str, str] = os.environ,
        kill_after_s: float = KILL_AFTER_S,
    ) -> None:
        self._kill_after_s = kill_after_s
        self._folder, self._working_folder = folder.resolve(), working_folder.resolve()
        self._passed_on = {name: environment[name] for name in PASSED_ON if name in environment}

    def start(self, name: str, action: LocalCommand, variables: dict[str, str]) -> None:
        """Start the action under its name, unless that name was started before."""
        folder = self._of(name)
        if (folder / supervise.BEGUN).exists():
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        order = {
            "command": list(action.command),
            "deadline_s": action.deadline_s,
            "kill_after_s": self._kill_after_s,
            "environment": self._passed_on | variables,
            "working_folder": str(self._working_folder),
        }
        supervise.put(folder / supervise.ORDER, order)
        # Whoever claims the beginning first carries it out, so starting again after a crash is harmless.
        arguments = [sys.executable, "-I", "-S", supervise.__file__, str(folder)]
        try:
            subprocess.run(  # noqa: S603 (our own file)
                arguments,
                cwd="/",
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=START_WITHIN_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Retry(Problem(name, f"cannot be started: {error}", "it is tried again")) from None

    def state(self, name: str) -> JobState | None:
        """Return what is known of a name, or None when it was never started."""
        folder = self._of(name)
        begun = _read(folder / supervise.BEGUN)
        if begun is None:
            return None
        if supervise.is_alive(begun) and not (folder / supervise.ENDED).exists():
            return JobState.RUNNING
        ended = self.ended(name)
        if ended is None:
            # Its supervisor is gone: what the action did is not known, so it counts as failed and is ended.
            self._end_orphan(folder)
            return JobState.FAILED
        return JobState.SUCCEEDED if ended == Ended(0, supervise.BY_ITSELF) else JobState.FAILED

    def stop(self, name: str) -> None:
        """Have the action end: asked first, by force when it does not; what never began never will."""
        folder = self._of(name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if supervise.claim(folder / supervise.BEGUN, _NOBODY):
            supervise.put(
                folder / supervise.ENDED, {"code": _NEVER_BEGUN, "cause": "stopped before it began"}
            )
        elif not (folder / supervise.ENDED).exists():
            (folder / supervise.STOP).touch()

    def ended(self, name: str) -> Ended | None:
        """Return how an action ended, or None while it runs or when nobody was left to see it."""
        found = _read(self._of(name) / supervise.ENDED)
        return None if found is None else Ended(int(str(found["code"])), str(found["cause"]))

    def output(self, name: str) -> str:
        """Return what an action wrote last, at most a megabyte."""
        folder = self._of(name)
        parts = [folder / supervise.OLDER_OUTPUT, folder / supervise.OUTPUT]
        return b"".join(part.read_bytes() for part in parts if part.exists()).decode(errors="replace")

    def _of(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a job's name: {name!r}")
        return self._folder / name

    def _end_orphan(self, folder: Path) -> None:
        child = _read(folder / supervise.CHILD)
        if child is not None and supervise.is_alive(child):
            supervise.end_group(int(str(child["pid"])), signal.SIGKILL)


def _read(file: Path) -> dict[str, object] | None:
    """Return a file's content, or None when there is none; raise `Stop` when it is not one of ours."""
    with suppress(FileNotFoundError):
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            found = error
        if not isinstance(found, dict):
            raise Stop(Problem(str(file), f"not what was written there: {found}", "look what the action did"))
        return found
    return None
