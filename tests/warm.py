"""The `rollout` command without its imports: a process that has made them once, and is copied for each run.

Every run is a process of its own, with its own environment, folder, input and output, as a user's is. Only
what Python does before the command's first line is shared: on two cores that was most of what the tests cost.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Final, NoReturn, cast

LARGEST_ORDER: Final = 256 * 1024
STREAMS: Final = 3
IMPORTED: Final = (
    "duckdb",
    "numpy",
    "scipy.stats",
    "rollout.__main__",
    "rollout.cli.run",
    "rollout.wiring.house",
)
_FOUND_AT_START: Final = ("PYTHON", "LANG", "LC_", "ROLLOUT_COMPLETE", "_ROLLOUT")
"""Variables that are read before the command's first line: such a run is not copied."""


def fits(changes: Mapping[str, str]) -> bool:
    """Return whether a run with these variables is the same when it is copied."""
    return not any(name.startswith(_FOUND_AT_START) for name in changes)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, within_s: float
) -> subprocess.CompletedProcess[str]:
    """Run the command as `subprocess.run` would, in a copy of the warm process."""
    status, told = os.pipe()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with Path(os.devnull).open("rb") as nothing:
            order = {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder)}
            _server().send(order, (nothing.fileno(), out.fileno(), err.fileno(), told))
        os.close(told)
        with os.fdopen(status, "rb") as answer:
            pid = int(answer.readline())
            watch = threading.Timer(within_s, _end_group, (pid,))
            watch.start()
            code = answer.readline()
            watch.cancel()
        if not code:
            raise subprocess.TimeoutExpired(list(arguments), within_s)
        parts = []
        for stream in (out, err):
            stream.seek(0)
            parts.append(stream.read().decode())
    return subprocess.CompletedProcess(list(arguments), int(code), *parts)


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


class _Server:
    """The warm process; it ends when its side of the conversation is closed, however that comes about."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket, self._turn = ours, threading.Lock()
        environment = {**os.environ, "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=environment,
                cwd=Path(__file__).parents[1],
            )
        atexit.register(self.close)

    def send(self, order: Mapping[str, object], descriptors: Sequence[int]) -> None:
        """Have one command run; the last descriptor is told its number and then its exit code."""
        content = json.dumps(order).encode()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        with self._turn:
            self._socket.sendmsg([content], [rights])

    def close(self) -> None:
        """End the warm process."""
        self._socket.close()
        self._process.wait(10)


@cache
def _server() -> _Server:
    return _Server()


def _serve(conversation: socket.socket) -> None:
    """Copy this process for each order, until nobody is left to give one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for the commands
    while True:
        content, descriptors, _, _ = socket.recv_fds(conversation, LARGEST_ORDER, STREAMS + 1)
        if not content:
            return
        if os.fork() == 0:
            conversation.close()
            _carry_out(json.loads(content), descriptors)
        for one in descriptors:
            os.close(one)


def _carry_out(order: Mapping[str, object], descriptors: Sequence[int]) -> NoReturn:
    """Run one command in a copy of its own, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    told = descriptors[STREAMS]
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _be_the_command(order, descriptors[:STREAMS])
    for one in descriptors[:STREAMS]:
        os.close(one)
    os.write(told, f"{os.getpid()}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _be_the_command(order: Mapping[str, object], streams: Sequence[int]) -> NoReturn:
    """Become what `python -m rollout` would be by now."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(cast("Mapping[str, str]", order["environment"]))
    os.chdir(str(order["folder"]))
    time.tzset()
    tempfile.tempdir = None
    sys.stdin = TextIOWrapper(os.fdopen(0, "rb"), encoding="utf-8")
    sys.stdout = TextIOWrapper(os.fdopen(1, "wb"), encoding="utf-8")
    sys.stderr = TextIOWrapper(
        os.fdopen(2, "wb"), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    sys.argv = ["rollout", *cast("Sequence[str]", order["arguments"])]
    code = 1
    try:
        import_module("rollout.__main__").main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Import what commands import, and serve."""
    for name in IMPORTED:
        import_module(name)
    for place in import_module("rollout.cli.root").VERBS.values():
        import_module(place.partition(":")[0])
    with socket.socket(fileno=int(sys.argv[1])) as conversation:
        _serve(conversation)


if __name__ == "__main__":
    main()
