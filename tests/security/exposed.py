"""A real Envoy with our start file before watched upstreams, and clients that write any bytes they like."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rollout.domain.assignment import Placement
from rollout.envoy.bootstrap import Address
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged
from tests.envoy.examples import free_port, placed, policy_for, until
from tests.security.watched import Watched, watched

ENDS_WITHIN_S = 20.0
SILENT_S = 0.2
UNIT = "x-user-id"
HOST = "private.example"
PATHS = ("/churn", "/churn/deep", "/other")


@dataclass(frozen=True, slots=True)
class Exposed:
    """The proxy, its port, and by path, or host, who answers there."""

    proxy: Proxy
    port: int
    servers: dict[str, Watched]

    def send(self, content: bytes, *, within_s: float = ENDS_WITHIN_S) -> bytes:
        """Return what comes back until the proxy ends the connection, or has answered and says no more."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=within_s) as connection:
            connection.sendall(content)
            # A reset is an answer too; silence is the end only once something was said.
            with suppress(ConnectionResetError, TimeoutError):
                while part := connection.recv(65_536):
                    received += part
                    connection.settimeout(SILENT_S)
        return received

    def targets(self) -> list[str]:
        return [seen.target for server in self.servers.values() for seen in server.seen]

    def lines(self, count: int) -> list[dict[str, Any]]:
        """Return the log, once there are this many lines; only a line feed ends one."""
        log = self.proxy.access_log
        assert until(lambda: log.read_bytes().count(b"\n") >= count)
        return [json.loads(line) for line in log.read_bytes().split(b"\n")[:-1]]


@contextmanager
def exposed(folder: Path, listen: Address | None = None) -> Iterator[Exposed]:
    """Serve three paths, two of them one below the other, and one host; each has a server of its own."""
    with ExitStack() as held:
        servers = {name: held.enter_context(watched(name)) for name in (*PATHS, HOST)}
        address = listen or Address(free_port())
        proxy = held.enter_context(Proxy(folder, address, concurrency=1))
        published = proxy.publish([_placed(name, server) for name, server in servers.items()])
        assert isinstance(published, Acknowledged), published
        yield Exposed(proxy, address.port, servers)


def _placed(served: str, server: Watched) -> Placement:
    name = served.strip("/").replace("/", "-").replace(".", "-")
    host, path = (served, "/") if served == HOST else (None, served)
    policy = replace(policy_for(server.url, server.url), name=name, salt=name, path=path, host=host)
    return placed(policy, 3)


def head(target: str, *headers: str, method: str = "GET") -> bytes:
    """Return a request's head that closes its connection, with the host of a user."""
    lines = [f"{method} {target} HTTP/1.1", "host: users.example", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def codes(received: bytes) -> list[int]:
    """Return the status of every answer in a connection's bytes."""
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
