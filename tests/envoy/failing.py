"""A server that fails in one way at every request: what cannot be an answer of an ordinary one."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AT_ONCE = struct.pack("ii", 1, 0)


@contextmanager
def failing(how: str) -> Iterator[str]:
    """Accept, read a request, and then `reset` or `close` the connection, or answer `nonsense`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, how), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(listener: socket.socket, how: str) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the test is over
            return
        with connection:
            connection.settimeout(10)
            connection.recv(65_536)
            if how == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            elif how == "nonsense":
                connection.sendall(b"nonsense\r\n\r\n")
