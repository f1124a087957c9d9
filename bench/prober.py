"""A user in a process of its own, who asks one route without pause and tells when the answer changed."""

from __future__ import annotations

import argparse
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parents[1]
LIMIT_S: Final = 10.0
_CANDIDATE: Final = b"x-rollout-variant: candidate1\r\n"


class Prober:
    """The other end: in this process its asking would make whoever publishes wait for Python's lock."""

    def __init__(self, port: int, path: str) -> None:
        self._arguments = [sys.executable, "-m", "bench.prober", str(port), path]

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._process = subprocess.Popen(
            self._arguments, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True, bufsize=0
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._process.kill()
        self._process.communicate()

    def seen_at(self, *, is_candidate: bool) -> float:
        """Return when the candidate, or the baseline, was first seen, by the machine's monotonic clock."""
        found, at_s = self._told()
        if found != is_candidate:
            raise RuntimeError("bench: a request met what was not published")
        return at_s

    def _told(self) -> tuple[bool, float]:
        stream = self._process.stdout
        if stream is None or not select.select([stream], [], [], LIMIT_S)[0]:
            raise TimeoutError("bench: no request followed the change")
        found, at_s = stream.readline().split()
        return found == b"1", float(at_s)


def _ask(port: int, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: bench\r\nx-user-id: somebody\r\n\r\n".encode()
    before: bool | None = None
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while True:
            connection.sendall(request)
            is_candidate = _CANDIDATE in _answer(connection)
            if is_candidate != before:
                before = is_candidate
                print(int(is_candidate), repr(time.monotonic()), flush=True)


def _answer(connection: socket.socket) -> bytes:
    """Return the head of an answer, once its body is there too."""
    received = b""
    while True:
        part = connection.recv(65_536)
        if not part:
            raise SystemExit("the proxy closed the connection")
        received += part
        head, end, body = received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length):
            return head + b"\r\n"


def main() -> None:
    """Ask until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    chosen = parser.parse_args()
    _ask(chosen.port, chosen.path)


if __name__ == "__main__":
    main()
