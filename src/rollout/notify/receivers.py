"""Who can be told, and where: one private file, read again when it changes; what it says is never shown."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from rollout import tomlfile
from rollout.domain.policy import Policy
from rollout.errors import Problem, WrongSettings, nearest
from rollout.notify.webhook import key_bytes
from rollout.tomlfile import Kind, Reread

MOST_RECEIVERS: Final = 500
MOST_KEYS: Final = 5
SHORTEST_SECRET: Final = 5
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_EXAMPLE: Final = 'write it as: [ml-growth], and below it apprise = "slack://…"'
_KEYS: Final = ("apprise", "webhook", "keys", "ca_file", "per_minute")
# Apprise knows schemes that show something on this very machine; nobody sees that.
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_LOCAL: Final = frozenset(
    {"dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows", "blink1", "enigma2"}
)
KIND: Final = Kind("receivers", _EXAMPLE)


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver; where it is, and its keys, do not show when this is printed."""

    name: str
    url: str = field(repr=False)
    is_webhook: bool
    keys: tuple[str, ...] = field(default=(), repr=False)
    """With what a webhook is signed, the newest first."""
    ca_file: Path | None = None
    per_minute: float = 10.0

    @property
    def service(self) -> str:
        """By what it is reached, such as `slack`."""
        return "webhook" if self.is_webhook else self.url.partition(":")[0].lower()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything in its address and its keys that must not be repeated, the longest first."""
        parts = {*re.split(r"[/:@?&=#,\s]+", self.url), *self.keys, self.url}
        found = parts | {unquote(part) for part in parts}
        scheme = self.url.partition(":")[0]
        return tuple(
            sorted(
                (one for one in found if len(one) >= SHORTEST_SECRET and one != scheme), key=len, reverse=True
            )
        )

    def censored(self, text: str) -> str:
        """Return a text without anything of the address or the keys."""
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return text


@dataclass(frozen=True, slots=True)
class Post:
    """What the settings say of messages: who gets them, and where they link to."""

    receivers_file: Path | None = None
    public_url: str | None = None


class Receivers:
    """The receivers that a file names; a file that cannot be understood leaves those known before."""

    def __init__(self, file: Path | None = None) -> None:
        """Raise `WrongSettings` when there is a file that cannot be understood now."""
        self._known: Reread[Mapping[str, Receiver]] = Reread(file, read, nothing={}, forgets=False)

    def known(self) -> Mapping[str, Receiver]:
        """Return every receiver by its name."""
        return self._known.now()


def unknown_receivers(policy: Policy, known: frozenset[str]) -> Iterator[Problem]:
    """Yield a problem for each name in a policy's `notify` that is nobody's here."""
    for name in sorted({notice.to for notice in policy.notify} - known):
        guess = nearest(name, known)
        remedy = "name it in receivers_file (ROLLOUT_RECEIVERS_FILE) of the control plane"
        what = f"notify: nobody is called '{name}' in this control plane's settings"
        yield Problem(policy.name, what, f"did you mean '{guess}'?" if guess else remedy)


def read(file: Path) -> Mapping[str, Receiver]:
    """Return the receivers of a file; raises `WrongSettings` with everything that is wrong, and no secret."""
    found = tomlfile.read(file, KIND)
    problems = [problem for name, content in found.items() for problem in problems_of(file, name, content)]
    if len(found) > MOST_RECEIVERS:
        problems.append(
            Problem(str(file), f"more than {MOST_RECEIVERS} receivers", "let policies share some")
        )
    if problems:
        raise WrongSettings(*problems)
    return {name: _receiver(name, content) for name, content in found.items()}


def _receiver(name: str, content: dict[str, Any]) -> Receiver:
    ca_file = content.get("ca_file")
    return Receiver(
        name=name,
        url=content.get("webhook") or content["apprise"],
        is_webhook="webhook" in content,
        keys=tuple(content.get("keys", ())),
        ca_file=None if ca_file is None else Path(ca_file).expanduser(),
        per_minute=float(content.get("per_minute", 10.0)),
    )


def problems_of(file: Path, name: str, content: object) -> Iterator[Problem]:
    """Yield what is wrong with one receiver, by key and without values."""
    where = f"{file}: {name[:64]}"
    if not _NAME.fullmatch(name):
        yield Problem(where, "cannot be a receiver's name", "use letters, digits and the signs . _ -")
    if not isinstance(content, dict):
        yield Problem(where, "must be a table", _EXAMPLE)
        return
    for key in content:
        if key not in _KEYS:
            guess = nearest(key, _KEYS)
            remedy = f"did you mean '{guess}'?" if guess else f"its keys are {', '.join(_KEYS)}"
            yield Problem(f"{where}.{key[:64]}", "unknown key", remedy)
    if ("apprise" in content) == ("webhook" in content):
        yield Problem(where, "must have either apprise or webhook", _EXAMPLE)
    if "apprise" in content and (what := _wrong_apprise(content["apprise"])) is not None:
        yield Problem(f"{where}.apprise", *what)
    yield from _wrong_webhook(where, content)
    yield from _wrong_ca(where, content)
    rate = content.get("per_minute", 10.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0.1 <= rate <= 600:  # noqa: PLR2004
        yield Problem(
            f"{where}.per_minute", "must be a number from 0.1 to 600", "write it as: per_minute = 10"
        )


def _wrong_apprise(url: object) -> tuple[str, str] | None:
    how = "write an address of apprise: https://appriseit.com/services/"
    if not isinstance(url, str) or "://" not in url or not url.isprintable():
        return "must be an address such as slack://…", how
    scheme = url.partition("://")[0].lower()
    if not _SCHEME.fullmatch(scheme) or scheme in _LOCAL:
        return "reaches nobody but this machine", how
    if re.search(r"[?&]verify=(no|false|0|off|n|f)\b", url, re.IGNORECASE):
        return "must not switch off the check of certificates", "name who vouches for it: ca_file"
    return None


def _wrong_webhook(where: str, content: dict[str, Any]) -> Iterator[Problem]:
    if "webhook" not in content:
        if "keys" in content:
            yield Problem(f"{where}.keys", "belong to a webhook", "remove them")
        return
    if not _is_address(content["webhook"]):
        what, remedy = "must be http:// or https:// and a host", 'write it as: webhook = "https://host/path"'
        yield Problem(f"{where}.webhook", what, remedy)
    keys = content.get("keys")
    listed = keys if isinstance(keys, list) and len(keys) <= MOST_KEYS else []
    if not listed or any(not isinstance(key, str) or key_bytes(key) is None for key in listed):
        what = f"must be 1 to {MOST_KEYS} keys, each whsec_ and then 24 to 64 bytes in base64"
        yield Problem(f"{where}.keys", what, "draw one: `rollout notify key`")


def _is_address(url: object) -> bool:
    if not isinstance(url, str) or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.fragment


def _wrong_ca(where: str, content: dict[str, Any]) -> Iterator[Problem]:
    if "ca_file" not in content:
        return
    try:
        ssl.create_default_context(cafile=str(Path(content["ca_file"]).expanduser()))
    except ssl.SSLError:
        yield Problem(f"{where}.ca_file", "holds no certificates", "name a PEM file of certificates")
    except (OSError, TypeError, ValueError, RuntimeError):  # NUL in a name; nobody's home
        yield Problem(f"{where}.ca_file", "cannot be read", "name a PEM file of certificates")
