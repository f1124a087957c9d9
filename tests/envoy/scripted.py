"""A server that follows a script: one connection, handed to a function in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LIMIT_S = 20.0


def head_of(connection: socket.socket) -> bytes:
    """Return what comes up to the end of the headers; what follows stays where it is."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, "closed within the headers"
        received += byte
    return received


@contextmanager
def scripted(script: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection by the script; return the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT_S)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(LIMIT_S)
                script(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
