"""One conversation with the control plane over HTTP: limits on time, tries and size, and worded failures."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from rollout import __version__
from rollout.client.addresses import Addresses, client_to
from rollout.client.answers import PROBLEM, Answer, ProblemsAnswer
from rollout.errors import ControlPlaneFailed, Problem, RequestRefused

TRIES: Final = 3
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
MAXIMUM_ANSWER_BYTES: Final = 64 * 1024 * 1024
MAXIMUM_SHOWN_CHARACTERS: Final = 200
WORTH_ANOTHER_TRY: Final = frozenset({408, 429, 502, 503, 504})

Kind = TypeVar("Kind", bound=Answer)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; all of ours may be sent twice: the control plane does each only once."""

    method: str
    path: str
    query: Mapping[str, str | int] | None = None
    content: bytes | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    key: str | None = None
    """Its `Idempotency-Key`: sent again, it is answered as it was before."""
    if_match: str | None = None
    """The state that it asks about, as an `ETag`: refused where the run has moved on."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request is tried."""

    tries: int = TRIES
    longest_pause_s: float = LONGEST_PAUSE_S
    outlasts_timeouts: bool = False
    """Whether it is sent again when no answer came in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read to its end."""

    status: int
    content_type: str
    content: bytes
    retry_after: str | None = None


class Connection:
    """Sends requests to a control plane, at one address or several, with one token; close it in the end."""

    def __init__(
        self,
        url: str | Addresses,
        *,
        token: str | None = None,
        timeout_s: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = Patience(),
    ) -> None:
        addresses = url if isinstance(url, Addresses) else Addresses.of(url)
        self.url = str(addresses)
        self._sleep, self._patience = sleep, patience
        self._timeout_s = timeout_s
        headers = {"user-agent": f"rollout/{__version__}", "accept": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        for one in addresses.urls:
            checked(one)
        try:
            self._client = client_to(
                addresses,
                headers=headers,
                timeout_s=timeout_s,
                # A proxy of the environment knows no address of this machine.
                trust_env=not is_loopback(self.url),
            )
        except UnicodeEncodeError:
            what, remedy = "the token holds a sign that HTTP cannot carry", "copy the token again"
            raise ControlPlaneFailed(Problem(self.url, what, remedy)) from None

    def close(self) -> None:
        """Give back what the connection holds."""
        self._client.close()

    def ask(self, request: Request, kind: type[Kind]) -> Kind:
        """Send and return the typed answer; raise `RequestRefused` or `ControlPlaneFailed` with remedies."""
        reply = self.send(request)
        try:
            return kind.model_validate_json(reply.content)
        except ValidationError:
            raise self._not_ours(request, reply) from None

    def send(self, request: Request) -> Reply:
        """Send, several times while it may help, and return the answer if it is a good one."""
        return self.accepted(request, self.reply(request))

    def reply(self, request: Request) -> Reply:
        """Send, several times while it may help, and return the last answer, good or not."""
        pause_s = FIRST_PAUSE_S
        for left in reversed(range(self._patience.tries)):
            try:
                reply = self._send_once(request)
            except httpx.TransportError as error:
                if left == 0 or self._is_final(error):
                    raise self._failed(error) from None
                wanted_s = pause_s
            else:
                if left == 0 or not _may_change(reply):
                    return reply
                wanted_s = _asked_pause(reply, pause_s)
            self._sleep(min(wanted_s, self._patience.longest_pause_s))
            pause_s *= 2
        raise AssertionError("the last try returns or raises")

    def _is_final(self, error: httpx.TransportError) -> bool:
        waited = isinstance(error, httpx.TimeoutException) and not self._patience.outlasts_timeouts
        return waited or isinstance(error, httpx.UnsupportedProtocol)

    def _send_once(self, request: Request) -> Reply:
        """Send once and read the answer, but never more of it than fits."""
        named = {
            "content-type": request.content_type,
            "content-encoding": request.content_encoding,
            "idempotency-key": request.key,
            "if-match": request.if_match,
        }
        headers = {name: value for name, value in named.items() if value is not None}
        with self._client.stream(
            request.method, request.path, params=request.query, content=request.content, headers=headers
        ) as response:
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > MAXIMUM_ANSWER_BYTES:
                    what = f"the answer to {request.path} is larger than 64 MiB"
                    raise ControlPlaneFailed(Problem(self.url, what, "ask for less"))
            return Reply(
                response.status_code,
                response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                bytes(content),
                response.headers.get("retry-after"),
            )

    def accepted(self, request: Request, reply: Reply) -> Reply:
        """Return a good answer, and word any other."""
        if httpx.codes.is_success(reply.status):
            return reply
        if reply.status == httpx.codes.UNAUTHORIZED:
            remedy = "name the file with the token in ROLLOUT_TOKEN_FILE; `rollout up` says where it is"
            what = "the token was refused" if self.has_token else "a token is needed"
            raise RequestRefused(Problem(self.url, what, remedy))
        if reply.content_type != PROBLEM:
            raise self._not_ours(request, reply)
        try:
            found = ProblemsAnswer.model_validate_json(reply.content)
        except ValidationError:
            raise self._not_ours(request, reply) from None
        problems = [Problem(one.where, one.what, one.remedy) for one in found.problems]
        if not problems:
            problems = [Problem(request.path, _lowered(found.detail), "see the control plane's log")]
        if httpx.codes.is_server_error(reply.status):
            raise ControlPlaneFailed(*problems)
        raise RequestRefused(*problems)

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token."""
        return "authorization" in self._client.headers

    def _failed(self, error: httpx.TransportError) -> ControlPlaneFailed:
        match error:
            case httpx.TimeoutException():
                what = f"no answer within {self._timeout_s:g} s"
                remedy = "try again, or allow more: ROLLOUT_CONTROL_TIMEOUT_S"
            case httpx.ConnectError() if isinstance(_cause(error), ssl.SSLError):
                what, remedy = f"no secure connection: {error}", "check the address in ROLLOUT_CONTROL_URL"
            case httpx.ConnectError():
                what = f"cannot connect ({_lowered(_plain(error))})"
                remedy = "is `rollout up` running? ROLLOUT_CONTROL_URL names another address"
            case _:
                what = f"the connection broke ({_lowered(_plain(error))})"
                remedy = "try again; if it lasts, see the control plane's log"
        return ControlPlaneFailed(Problem(self.url, what, remedy))

    def _not_ours(self, request: Request, reply: Reply) -> ControlPlaneFailed:
        """Say that whoever answered does not speak as a control plane of ours does."""
        kind = reply.content_type or "nothing"
        what = f"{request.method} {request.path} was answered with {reply.status} and {kind}, not as agreed"
        remedy = "check that ROLLOUT_CONTROL_URL names a control plane of this version"
        return ControlPlaneFailed(Problem(self.url, what, remedy))


class Conversation:
    """Whoever asks something over a connection of its own; a context that closes it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back what the connection holds."""
        self._connection.close()


def checked(url: str) -> str:
    """Return an address that can be asked; raise `ControlPlaneFailed` for any other."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        what, remedy = "not an address", "write ROLLOUT_CONTROL_URL as http://HOST:PORT"
        raise ControlPlaneFailed(
            Problem(url[:MAXIMUM_SHOWN_CHARACTERS] or "ROLLOUT_CONTROL_URL", what, remedy)
        )
    return url


def is_loopback(url: str) -> bool:
    """Say whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _may_change(reply: Reply) -> bool:
    """Return whether the same request may fare better soon: a conflict says so by `Retry-After`."""
    is_passing = reply.status == httpx.codes.CONFLICT and reply.retry_after is not None
    return is_passing or reply.status in WORTH_ANOTHER_TRY


def _asked_pause(reply: Reply, pause_s: float) -> float:
    """Return how long the answer asks to wait; our own pause when it does not say."""
    asked = reply.retry_after or ""
    return float(asked) if asked.isdigit() else pause_s


def _cause(error: BaseException) -> BaseException:
    """Return what an error came from, at its root."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def _plain(error: httpx.TransportError) -> str:
    root = _cause(error)
    return (root.strerror if isinstance(root, OSError) else None) or str(error) or type(error).__name__


def _lowered(sentence: str) -> str:
    return (sentence[:1].lower() + sentence[1:])[:MAXIMUM_SHOWN_CHARACTERS].rstrip(".")
