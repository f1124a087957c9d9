"""A control plane at several addresses: callers stay with the one that leads, and look for it otherwise."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from rollout.errors import Problem, WrongSettings

NOT_HERE: Final = frozenset({502, 503, 504})
"""Whoever answers so does not lead, or stands before one that does not answer."""
NOWHERE: Final = "http://control"
"""What paths begin with until it is known who leads."""
_SEPARATORS: Final = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe that it is the control plane, where this machine's own authorities are not asked."""

    ca_file: Path
    """A PEM file of the authority that vouches for it, or of its own certificate."""
    is_own: bool = False
    """Whether the file is the certificate of this very process: then it counts whatever names it bears."""

    def context(self) -> ssl.SSLContext:
        """Return what a client speaks TLS with; raise `WrongSettings` when the file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(self.ca_file)
        except (OSError, ssl.SSLError) as error:
            what = f"holds no certificate that can be used ({error})".lower()
            remedy = "name a PEM file: in ROLLOUT_CONTROL_CA_FILE, or as a recorder's ca_file"
            raise WrongSettings(Problem(str(self.ca_file), what, remedy)) from None
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.check_hostname = not self.is_own
        return context


class Addresses:
    """The addresses of one control plane, of which one is current; safe to share between threads."""

    def __init__(self, urls: Sequence[str], trust: Trust | None = None) -> None:
        self.trust = trust
        self.urls = tuple(dict.fromkeys(url.rstrip("/") for url in urls))
        if not self.urls:
            raise ValueError("a control plane has at least one address")
        self._turn = threading.Lock()
        self._at = 0

    @classmethod
    def of(cls, text: str, trust: Trust | None = None) -> Addresses:
        """Return the addresses of a text, which commas or blanks separate; without any it stays one."""
        return cls([one for one in _SEPARATORS.split(text) if one] or [text], trust)

    def verify(self) -> ssl.SSLContext | bool:
        """Return by what certificates are checked: the ones that are named, or this machine's."""
        return True if self.trust is None else self.trust.context()

    def __str__(self) -> str:
        return " or ".join(self.urls)

    @property
    def current(self) -> str:
        """The address to ask now."""
        return self.urls[self._at]

    def move_on(self, failed: str) -> None:
        """Have the next address asked, unless somebody else has moved on from the failed one already."""
        with self._turn:
            if self.current == failed:
                self._at = (self._at + 1) % len(self.urls)


class Following(httpx.BaseTransport):
    """Sends each request to the current address, and to every other one once where nobody leads at it.

    Where no answer came in time the call ends, for it has taken long enough; the next one begins at another
    address. How often to call again, and when, is the caller's patience.
    """

    def __init__(self, addresses: Addresses, inner: httpx.BaseTransport) -> None:
        self._addresses, self._inner = addresses, inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer of somebody who leads, or else the last one that there was."""
        request.read()  # so that it can be sent again
        for left in reversed(range(len(self._addresses.urls))):
            url = self._addresses.current
            try:
                response = self._inner.handle_request(_redirected(request, url))
            except httpx.TransportError as error:
                self._addresses.move_on(url)
                if left == 0 or _took_its_time(error):
                    raise
            else:
                if response.status_code not in NOT_HERE:
                    return response
                self._addresses.move_on(url)
                if left == 0:
                    return response
                response.close()
        raise AssertionError("the last address answers or raises")

    def close(self) -> None:
        """Give back what the connections hold."""
        self._inner.close()


def client_to(
    addresses: Addresses, *, headers: Mapping[str, str], timeout_s: float, trust_env: bool
) -> httpx.Client:
    """Return a client whose paths begin at the address that leads; `trust_env` counts for a single one."""
    if len(addresses.urls) == 1:
        return httpx.Client(
            base_url=addresses.current,
            headers=headers,
            timeout=timeout_s,
            trust_env=trust_env,
            verify=addresses.verify(),
        )
    return httpx.Client(
        base_url=NOWHERE,
        headers=headers,
        timeout=timeout_s,
        transport=Following(addresses, httpx.HTTPTransport(verify=addresses.verify())),
    )


def _redirected(request: httpx.Request, url: str) -> httpx.Request:
    """Return a request to the same place below another address."""
    base = httpx.URL(url)
    target = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + request.url.raw_path)
    headers = httpx.Headers(request.headers)
    headers["host"] = target.netloc.decode("ascii")
    return httpx.Request(
        request.method, target, headers=headers, stream=request.stream, extensions=request.extensions
    )


def _took_its_time(error: httpx.TransportError) -> bool:
    return isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout)
