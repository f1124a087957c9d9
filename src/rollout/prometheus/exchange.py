"""One question through prometheus-api-client: its calls to the server, our limits around them."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_api_client.exceptions import PrometheusApiClientException
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests import RequestException
from urllib3.exceptions import HTTPError

from rollout.prometheus.answers import NO_ANSWER, Unusable, refusal
from rollout.prometheus.queries import Asking
from rollout.prometheus.server import Server
from rollout.prometheus.session import BoundedSession, TooLarge, TooLate


def exchanged(
    server: Server, headers: Mapping[str, str], query: str, asking: Asking | None, deadline_s: float
) -> bytes:
    """Return the body of a good answer; raises `Unusable`. Without an asking it is of the server's own time.

    The library hands out results without their type and warnings, so the whole body is read again.
    """
    try:
        with BoundedSession(deadline_s, verify=_authorities(server)) as session:
            connect = PrometheusConnect(server.url, dict(headers), session=session)
            try:
                _send(connect, query, asking, max(deadline_s - time.monotonic(), 0.001))
            except PrometheusApiClientException:
                raise refusal(session.status, session.body) from None
            except (KeyError, TypeError, RecursionError):
                raise NO_ANSWER from None
            return session.body
    except TooLate:
        what = f"it has not answered within {server.timeout_s:g} s"
        raise Unusable(what, "see whether it is overloaded, or raise prometheus_timeout_s") from None
    except TooLarge:
        raise Unusable("its answer is larger than 1 MiB", "ask for one number, not for series") from None
    except (RequestException, HTTPError, OSError) as error:
        if isinstance(error, ValueError):
            # How requests says that a body is no JSON.
            raise NO_ANSWER from None
        raise Unusable(f"it cannot be reached: {_cause(error)}", "see whether it runs") from None


def _send(connect: PrometheusConnect, query: str, asking: Asking | None, left_s: float) -> None:
    """Have the library ask for one time, or for several."""
    params = {"timeout": f"{left_s:.3f}"}
    if asking is None:
        connect.custom_query(query, params)
    elif len(asking.times) == 1:
        connect.custom_query(query, {**params, "time": _seconds(asking.times[0])})
    else:
        first, last = asking.times[0], asking.times[-1]
        begin, end = (datetime.fromtimestamp(at / 1_000, UTC) for at in (first, last))
        # The library rounds times to whole seconds; these come after its own.
        exact = {"start": _seconds(first), "end": _seconds(last)}
        connect.custom_query_range(query, begin, end, _seconds(asking.interval_ms), {**params, **exact})


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1_000}.{milliseconds % 1_000:03d}"


def _cause(error: BaseException) -> str:
    """Return the innermost reason in a few words; a library's own text names addresses and objects."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return f"TLS: {(found.reason or 'refused').lower().replace('_', ' ')}"
        if isinstance(found, OSError) and found.strerror:
            return found.strerror.lower()
        inner = getattr(found, "reason", None)
        found = inner if isinstance(inner, BaseException) else found.__cause__ or found.__context__
    return "the connection broke"


def _authorities(server: Server) -> str | bool:
    """Return what vouches for an `https` address: this machine's own authorities, unless others are set."""
    own: str | None = ssl.get_default_verify_paths().cafile  # None where OpenSSL knows of no such file
    found = server.ca_file or own
    return True if found is None else str(found)
