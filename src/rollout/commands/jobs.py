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
from rollout.domain.job import OUTPUT_CHARACTERS, JobReport, Order
from rollout.domain.policy import LocalCommand
from rollout.errors import Problem, Retry, Stop

START_WITHIN_S: Final = 30.0
KILL_AFTER_S: Final = 10.0
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""What an action gets of our own environment; everything else stays here, secrets above all."""
_NOBODY: Final[dict[str, object]] = {"pid": 0, "birth": None}
"""Who carries out what was stopped before it began."""
_NEVER_BEGUN: Final = -1
_TOO_EARLY: Final = "stopped before it began"
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

    def start(self, order: Order) -> None:
        """Begin an order, unless it was begun before."""
        folder, action = self._of(order.name), order.action
        if self._begun(order) is not None:
            return
        if not isinstance(action, LocalCommand):
            what = "it is a workflow, which this control plane does not run"
            raise Stop(Problem(order.name, what, "write a command instead"))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = _label(order) | {
            "command": list(action.command),
            "deadline_s": action.deadline_s,
            "kill_after_s": self._kill_after_s,
            "environment": self._passed_on | dict(order.variables),
            "working_folder": str(self._working_folder),
        }
        supervise.put(folder / supervise.ORDER, content)
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
            raise Retry(Problem(order.name, f"cannot be started: {error}", "it is tried again")) from None
        self._begun(order)

    def report(self, order: Order) -> JobReport | None:
        """Return how an order stands, or None when it was never begun."""
        folder, begun = self._of(order.name), self._begun(order)
        if begun is None:
            return None
        state, message = self._state(order.name, begun)
        begun_us = begun.get("begun_us")
        return JobReport(
            state,
            message,
            link=str(folder / supervise.OUTPUT),
            begun_us=begun_us if isinstance(begun_us, int) else None,
            output=self.output(order.name)[-OUTPUT_CHARACTERS:],
        )

    def stop(self, order: Order) -> None:
        """Have the action end: asked first, by force when it does not; what never began never will."""
        folder = self._of(order.name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if supervise.claim(folder / supervise.BEGUN, _NOBODY | _label(order)):
            supervise.put(folder / supervise.ENDED, {"code": _NEVER_BEGUN, "cause": _TOO_EARLY})
            return
        begun = _read(folder / supervise.BEGUN) or {}
        if begun.get("uid", order.uid) != order.uid:
            raise _not_this(order, "for another run")
        if not (folder / supervise.ENDED).exists():
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

    def _begun(self, order: Order) -> dict[str, object] | None:
        """Return what stands there of an order's beginning, if any; raise `Stop` for another one's."""
        begun = _read(self._of(order.name) / supervise.BEGUN)
        if begun is None:
            return None
        # What an older program began has neither: its name, with the run's uid, is all that is known of it.
        if begun.get("uid", order.uid) != order.uid:
            raise _not_this(order, "for another run")
        if begun.get("fingerprint", order.fingerprint) != order.fingerprint:
            raise _not_this(order, "with other arguments")
        return begun

    def _state(self, name: str, begun: dict[str, object]) -> tuple[JobState, str]:
        folder = self._of(name)
        if supervise.is_alive(begun) and not (folder / supervise.ENDED).exists():
            return JobState.RUNNING, "it runs"
        ended = self.ended(name)
        if ended is None:
            # Its supervisor is gone: what the action did is not known, so it counts as failed and is ended.
            self._end_orphan(folder)
            return JobState.FAILED, "nobody was left to see how it ended"
        if ended.cause == supervise.TOO_LATE:
            return JobState.LATE, ended.cause
        if ended == Ended(0, supervise.BY_ITSELF):
            return JobState.SUCCEEDED, "it ended with exit code 0"
        if ended.code == _NEVER_BEGUN and ended.cause == _TOO_EARLY:
            return JobState.FAILED, ended.cause
        how = f"exit code {ended.code}" if ended.code >= 0 else f"signal {-ended.code}"
        return JobState.FAILED, f"{ended.cause}: {how}"

    def _of(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a job's name: {name!r}")
        return self._folder / name

    def _end_orphan(self, folder: Path) -> None:
        child = _read(folder / supervise.CHILD)
        if child is not None and supervise.is_alive(child):
            supervise.end_group(int(str(child["pid"])), signal.SIGKILL)


def _label(order: Order) -> dict[str, object]:
    return {"uid": order.uid, "fingerprint": order.fingerprint}


def _not_this(order: Order, how: str) -> Stop:
    remedy = "look who began it; `rollout retry` begins the action anew, under its next number"
    return Stop(Problem(order.name, f"was begun {how}, so it is not taken for this action", remedy))


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
