"""Free ports, and waiting until somebody answers on one."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import Final

ANSWERS_WITHIN_S: Final = 20.0


def free_port() -> int:
    """Return a port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def answering(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once a process listens; raises RuntimeError when it ends before, or takes too long."""
    ends_s = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < ends_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")
