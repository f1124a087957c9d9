"""The data plane as the controller sees it: publish placements, learn what Envoy acknowledged."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Final, Self

from rollout.domain.assignment import Placement
from rollout.envoy.access_log import ACCESS_LOG_FILE
from rollout.envoy.admin import Admin, AdminSilent
from rollout.envoy.bootstrap import Address, bootstrap
from rollout.envoy.degradation import Arm, Fared, Lives, read
from rollout.envoy.document import Kind
from rollout.envoy.files import ConfigurationFiles
from rollout.envoy.handover import Handover, Hearing
from rollout.envoy.patience import Patience
from rollout.envoy.process import BOOTSTRAP_FILE, EnvoyProcess
from rollout.envoy.publication import Acknowledged, Live, Refused
from rollout.envoy.publisher import Publisher, Translating
from rollout.envoy.translate import translate
from rollout.errors import Problem, ProxyFailed

READY_WITHIN_S: Final = 30.0
PORT_FREE_WITHIN_S: Final = 5.0
_LOCK_FILE: Final = "lock"
_SOCKET_FILE: Final = "admin.sock"
# Below every kernel's limit for the path of a socket (104 bytes on macOS, 108 on Linux).
_SOCKET_PATH_BYTES: Final = 100
_LINES_SHOWN: Final = 3
_OWNER_ONLY: Final = 0o700


class Proxy:
    """One Envoy and the folder that configures it; as a context manager it leaves no process behind.

    `acknowledged` hears of every acknowledged file, as soon as it is; `writing` of every change of weights,
    before Envoy does.
    """

    def __init__(  # noqa: PLR0913 (each has a default)
        self,
        folder: Path,
        listen: Address,
        *,
        concurrency: int | None = None,
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        acknowledged: Callable[[Live], None] = lambda _live: None,
        writing: Callable[[Live], None] = lambda _live: None,
        translating: Translating = translate,
        attempt_log: bool = False,
    ) -> None:
        self._folder, self._listen = folder.resolve(), listen
        self._patience, self._hearing = patience, Hearing(writing, acknowledged)
        self._translating, self._attempt_log = translating, attempt_log
        self._process = EnvoyProcess(self._folder, concurrency=concurrency, now=patience.now)
        self._admin: Admin | None = None
        self._publisher: Publisher | None = None
        self._lives = Lives()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at once."""
        self.stop()

    @property
    def live(self) -> Live:
        """What Envoy has acknowledged; while it is restarted, what it will read again."""
        return self._started.live

    @property
    def pid(self) -> int | None:
        """Envoy's process, or nothing between two lives."""
        return self._process.pid

    @property
    def starts(self) -> int:
        """How many times Envoy was started."""
        return self._process.starts

    @property
    def is_ready(self) -> bool:
        """Whether Envoy accepts requests and is not about to leave."""
        return self._admin is not None and self._admin.is_ready()

    @property
    def has_failed(self) -> bool:
        """Whether Envoy ended so often in a row that it is no longer started."""
        return self._process.gave_up

    @property
    def access_log(self) -> Path:
        """The log that Envoy writes now."""
        return self._folder / ACCESS_LOG_FILE

    def start(self) -> None:
        """Serve the folder's last acknowledged configuration, or raise ProxyFailed."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def publish(
        self,
        placements: Sequence[Placement],
        *,
        newest: Callable[[], Sequence[Placement]] | None = None,
        kept: Collection[str] = (),
    ) -> Acknowledged | Refused:
        """Make Envoy serve these placements and no others; return once it does, or with what it does not.

        When only splits changed, only the weights are written. What is refused leaves the others theirs, and
        its own last good route. `newest` and `kept` are those of `Publisher.publish`.
        """
        return self._started.publish(placements, newest=newest, kept=kept)

    def served(self, placements: Sequence[Placement]) -> tuple[Placement, ...]:
        """Return which of these Envoy has acknowledged as they are."""
        return self._started.served(placements)

    @property
    def standing(self) -> tuple[Placement, ...]:
        """The placements that were last acknowledged, all of them together."""
        return self._started.standing

    def degradation(self) -> Mapping[Arm, Fared] | None:
        """Return how each arm fared in all lives of this Envoy, or None while it does not answer."""
        if self._admin is None:
            return None
        life = self.starts
        with suppress(AdminSilent):
            return self._lives.add(life, read(self._admin.statistics()))
        return None

    def rotate_log(self, name: str) -> Path:
        """Give the access log another name and make Envoy begin a new one.

        The renamed log is complete once `access_log` exists again, which is at the next request.
        """
        renamed = self.access_log.rename(self._folder / name)
        self.reopen_log()
        return renamed

    def reopen_log(self) -> None:
        """Make Envoy begin a new access log, after somebody gave the old one another name."""
        if self._admin is not None:
            with suppress(AdminSilent):  # a new life opens the log by name in any case
                self._admin.reopen_logs()

    def is_left(self) -> bool:
        """Return whether no client is connected, so that nobody is cut off by an end."""
        try:
            return self._admin is None or self._admin.open_connections() == 0
        except AdminSilent:
            return True

    def drain(self) -> None:
        """Fail the health check and ask clients to leave as they come; nobody is refused for `DRAIN_S`."""
        if self._admin is not None:
            with suppress(AdminSilent):
                self._admin.drain()

    def stop(self, *, drain_s: float = 0.0) -> None:
        """End Envoy; before, for up to `drain_s` (a whole drain: 5 s), ask clients to leave as they come."""
        if self._admin is not None and drain_s > 0:
            with suppress(AdminSilent):
                self._drain(self._admin, drain_s)
        self._process.stop()
        self._held.close()
        self._admin = self._publisher = None

    @property
    def _started(self) -> Publisher:
        if self._publisher is None:
            raise ProxyFailed(Problem(str(self._folder), "the proxy does not run", "start it first"))
        return self._publisher

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):  # a mounted volume is somebody else's; what Envoy logs is ours alone
            self._folder.chmod(_OWNER_ONLY)
        self._held.enter_context(_locked(self._folder))
        files = ConfigurationFiles(self._folder)
        configuration = files.recover()
        admin_socket = self._admin_socket()
        start_file = json.dumps(
            bootstrap(self._listen, str(admin_socket), attempt_log=self._attempt_log), indent=1
        )
        (self._folder / BOOTSTRAP_FILE).write_text(start_file, encoding="utf-8")
        self._await_port()
        self._admin = Admin(admin_socket)
        self._process.start()
        self._await_ready(self._admin)
        for kind in Kind:
            if self._admin.version(kind) == configuration.of_kind(kind).version:
                files.keep(kind)
            else:
                raise self._failure(f"Envoy does not take the last good {kind.file_name}")
        handover = Handover(
            *(self._process, self._admin, files, configuration),
            patience=self._patience,
            hearing=self._hearing,
        )
        self._publisher = Publisher(
            handover,
            gave_up=lambda: self._process.gave_up,
            now_s=self._patience.now,
            translating=self._translating,
        )

    def _admin_socket(self) -> Path:
        folder = self._folder
        if len(os.fsencode(folder / _SOCKET_FILE)) > _SOCKET_PATH_BYTES:
            short = tempfile.TemporaryDirectory(prefix="rollout-", ignore_cleanup_errors=True)
            folder = Path(self._held.enter_context(short))
        path = folder / _SOCKET_FILE
        path.unlink(missing_ok=True)
        self._held.callback(path.unlink, missing_ok=True)
        return path

    def _await_port(self) -> None:
        """Refuse a port that somebody has: Envoy would share it, and each would get some of the requests."""
        family = socket.AF_INET6 if ":" in self._listen.host else socket.AF_INET
        for _ in self._patience.tries(PORT_FREE_WITHIN_S):
            with suppress(OSError):
                socket.create_server((self._listen.host, self._listen.port), family=family).close()
                return
        where = f"{self._listen.host}:{self._listen.port}"
        raise ProxyFailed(Problem(where, "cannot be listened on", "end what listens there or choose another"))

    def _await_ready(self, admin: Admin) -> None:
        for _ in self._patience.tries(READY_WITHIN_S):
            if admin.is_ready():
                return
            if self._process.pid is None:
                raise self._failure("Envoy ends at its start")
        raise self._failure(f"Envoy is not ready within {READY_WITHIN_S:g} s")

    def _failure(self, what: str) -> ProxyFailed:
        last = self._process.own_log_since(0).splitlines()[-_LINES_SHOWN:]
        return ProxyFailed(Problem(str(self._folder), what, f"Envoy says: {' / '.join(last)}"))

    def _drain(self, admin: Admin, drain_s: float) -> None:
        admin.drain()
        for _ in self._patience.tries(drain_s):
            if admin.open_connections() == 0:
                return


def _locked(folder: Path) -> IO[str]:
    """Hold the folder, or raise ProxyFailed; the kernel lets go when we end, however we end."""
    lock = (folder / _LOCK_FILE).open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        remedy = "stop it, or choose another folder"
        raise ProxyFailed(Problem(str(folder), "another proxy runs in this folder", remedy)) from None
    return lock
