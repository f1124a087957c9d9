"""Where a version answers: host, port and whether it is spoken to in TLS, read from its address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a version."""

    host: str
    port: int
    is_tls: bool

    @property
    def authority(self) -> str:
        """What the version hears as its `Host`, as if it had been called directly."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.is_tls else "http"] else f"{host}:{self.port}"

    @property
    def is_ip(self) -> bool:
        """Whether the host is a number that needs no resolution."""
        return is_ip(self.host)


def endpoint_of(url: str) -> Endpoint:
    """Return what `http://host:port` or `https://host:port` names, or raise ValueError with what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("it is not of the form http://host:port")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("it holds more than a host and a port")
    return Endpoint(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https")


def is_ip(host: str) -> bool:
    """Return whether a host is written as a number."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
