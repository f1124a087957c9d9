"""One function for each form of an address: `/churn`, `http://churn-v1:8000`, `header:x-user-id`."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from rollout.policyfile.finding import did_you_mean
from rollout.policyfile.forms import Unfit
from rollout.policyfile.texts import text

HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]+\]")
DOMAIN: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
URL: Final = re.compile(r"https?://[^/?#@\s]+/?")
HEADER: Final = re.compile(r"(?!x-rollout-)[a-z0-9][a-z0-9-]{0,63}")
UNIT: Final = re.compile(f"header:({HEADER.pattern})")
ROUTE: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*)?")
HEALTH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
LATER_UNITS: Final = ("cookie:", "body:")
TAKEN_HEADERS: Final = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


def route_path(value: object) -> str:
    """Return a path that requests can have: absolute, normal, without query."""
    found = text(value)
    if not found.startswith("/"):
        raise Unfit("must start with /", did_you_mean(f"/{found}" if ROUTE.fullmatch(f"/{found}") else None))
    if not ROUTE.fullmatch(found) or {".", ".."} & set(found.split("/")):
        stem = found.rstrip("/")
        guess = did_you_mean(stem) if stem and ROUTE.fullmatch(stem) else None
        raise Unfit("must be segments such as /churn/v2: no empty one, no / at the end, no ? # or %", guess)
    return found


def health_path(value: object) -> str:
    """Return what is asked of a version before it gets requests: a path, perhaps with a query."""
    found = text(value)
    if not HEALTH.fullmatch(found):
        guess = did_you_mean(f"/{found}" if HEALTH.fullmatch(f"/{found}") else None)
        raise Unfit("must be a path such as /healthz", guess)
    return found


def domain(value: object) -> str:
    """Return the name of a host as requests have it: lower case, without port."""
    found = text(value)
    if not DOMAIN.fullmatch(found):
        bare = found.partition("://")[2] or found
        guess = bare.partition("/")[0].partition(":")[0].lower()
        what = "must be a host's name such as churn.example.com: lower case, no port, no *"
        raise Unfit(what, did_you_mean(guess if DOMAIN.fullmatch(guess) else None))
    return found


def url(value: object) -> str:
    """Return the address of a server: scheme, host and port."""
    found = text(value)
    try:
        parts = urlsplit(found)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Unfit("must be an address such as http://churn-v1:8000") from None
    if "@" in parts.netloc:
        raise Unfit("must hold no user or password", "keep secrets out of policies", shows_value=False)
    if parts.scheme not in {"http", "https"}:
        guess = f"http://{found}" if "://" not in found and HOST.fullmatch(found.partition(":")[0]) else None
        raise Unfit("must begin with http:// or https://", did_you_mean(guess))
    written = f"[{host}]" if ":" in host else host
    if not HOST.fullmatch(written) or port == 0:
        raise Unfit("must name a host, such as http://churn-v1:8000")
    if parts.path not in {"", "/"} or "?" in found or "#" in found:
        bare = f"{parts.scheme}://{parts.netloc}"
        raise Unfit("must end after host and port: the request's own path is kept", did_you_mean(bare))
    return found


def unit_header(value: object) -> str:
    """Return the header that names a unit."""
    found = text(value)
    matched = UNIT.fullmatch(found)
    if matched:
        return matched[1]
    if found.startswith(LATER_UNITS):
        source = "cookies" if found.startswith("cookie:") else "body fields"
        raise Unfit(f"not supported yet: units from {source}", "send the unit in a header: header:x-user-id")
    if found.startswith("header:x-rollout-"):
        raise Unfit("must not begin with x-rollout-: such headers are taken from clients")
    guess = next((form for form in (found.lower(), f"header:{found.lower()}") if UNIT.fullmatch(form)), None)
    what = "must be `header:` and a header's name in lower case, such as header:x-user-id"
    raise Unfit(what, did_you_mean(guess))


def header(value: object) -> str:
    """Return the name of a request header."""
    return _header(text(value))


def header_key(value: object) -> str:
    """Return a header's name that stands as a key, and that a policy may set."""
    found = _header(str(value))
    if found in SECRET_HEADERS:
        what = "must hold no secret"
        raise Unfit(what, "write `credential: NAME`; the settings hold what is sent", shows_value=False)
    if found in TAKEN_HEADERS:
        raise Unfit("belongs to the proxy, which sets it itself", "remove it", shows_value=False)
    return found


def header_value(value: object) -> str:
    """Return what a header is set to: ASCII, as HTTP has it."""
    found = text(value)
    if not found.isascii():
        raise Unfit("must be ASCII, as headers are")
    return found


def _header(found: str) -> str:
    if found.startswith("x-rollout-"):
        raise Unfit("must not begin with x-rollout-: such headers are taken from clients")
    if not HEADER.fullmatch(found):
        guess = found.lower() if HEADER.fullmatch(found.lower()) else None
        raise Unfit("must be a header's name in lower case, such as x-tier", did_you_mean(guess))
    return found
