"""Servers that are no control plane: each answers its requests, in turn, with the bytes it was given."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


def reply(status: str, content: str = "", **headers: str) -> bytes:
    """Return the bytes of an answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(content.encode())}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", content]).encode()


@contextmanager
def strange(answers: Sequence[bytes | None]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield an address and what was asked there; an answer of None keeps the caller waiting until the end."""
    asked: list[bytes] = []
    waiting: list[socket.socket] = []

    def answer_each() -> None:
        for answer in answers:
            try:
                caller, _ = listening.accept()
            except OSError:
                return
            asked.append(caller.recv(65536))
            if answer is None:
                waiting.append(caller)
                continue
            caller.sendall(answer)
            caller.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer_each)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for caller in waiting:
                caller.close()


@contextmanager
def nobody() -> Iterator[str]:
    """Yield an address at which nothing listens; the port is kept from others meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
