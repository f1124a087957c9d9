"""What every process of ours is made of: threads that end with it, servers, secrets, the time."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from rollout import logs
from rollout.agent.private import write_private
from rollout.api.server import server_of
from rollout.api.tls import Tls
from rollout.api.tokens import draw_secret
from rollout.envoy.bootstrap import Address
from rollout.errors import ControlPlaneFailed, Problem

SECRET_BYTES: Final = 32
PRIVATE: Final = ("envoy", "jobs", "lake", "node", "spool")
"""Folders of a house or a node: unit ids stand in the proxy's log and in what could not be understood."""
LISTENS_WITHIN_S: Final = 20.0
STOPS_WITHIN_S: Final = 15.0
_log = logs.get("house")


def now_us() -> int:
    """Return the time of day in microseconds."""
    return time.time_ns() // 1_000


def serve(
    held: ExitStack, address: Address, application: ASGIApp, *, option: str, tls: Tls | None = None
) -> None:
    """Serve until the stack ends; return once requests are answered. `option` is what chooses the port."""
    context = None if tls is None else tls.context()
    server = server_of(application, tls=context)
    if tls is not None and context is not None:
        ending = threading.Event()
        run(held, "certificate", partial(tls.keep_new, context, ending), ending.set)
    listener = held.enter_context(_listener(address, option))

    def stop() -> None:
        server.should_exit = True

    run(held, "api", partial(server.run, sockets=[listener]), stop)
    deadline_s = time.monotonic() + LISTENS_WITHIN_S
    while not server.started:
        if time.monotonic() > deadline_s:
            raise ControlPlaneFailed(
                Problem(f"{address.host}:{address.port}", "does not start", "see the log")
            )
        time.sleep(0.02)


def run(held: ExitStack, name: str, work: Callable[[], object], stop: Callable[[], object]) -> None:
    """Run work in a thread until the stack ends."""
    thread = threading.Thread(target=work, name=name, daemon=True)

    def end() -> None:
        stop()
        thread.join(STOPS_WITHIN_S)
        if thread.is_alive():
            _log.warning("did not stop in time", part=name)

    thread.start()
    held.callback(end)


def keep_private(folder: Path) -> None:
    """Let nobody else read what will lie in a folder, even when others may look into the folder itself."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in PRIVATE:
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o700)
    (folder / "control.db").touch(mode=0o600)


def token_in(file: Path) -> str:
    """Return the token in a file, as `secret` does."""
    return secret(file, drawn=draw_secret)


def secret(file: Path, *, drawn: Callable[[], str] = lambda: secrets.token_hex(SECRET_BYTES)) -> str:
    """Return the file's secret, drawn when there is none yet; only its owner may read it.

    Several processes may draw at once: what the first one linked is everybody's.
    """
    if not file.exists():
        new = file.with_name(f"{file.name}.{os.getpid()}")
        write_private(new, drawn() + "\n")
        with suppress(FileExistsError):
            os.link(new, file)
        new.unlink()
    return file.read_text(encoding="ascii").strip()


def _listener(address: Address, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        where, what = f"{address.host}:{address.port}", (error.strerror or str(error)).lower()
        remedy = f"end what listens there, or choose another port: {option}"
        raise ControlPlaneFailed(Problem(where, what, remedy)) from None
