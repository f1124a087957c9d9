"""Applications that report outcomes: each has a token, of which only the digest is written down."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rollout import tomlfile
from rollout.errors import Problem, WrongSettings
from rollout.tomlfile import Kind, Reread

DEFAULT: Final = "default"
"""The application of whoever bears the house's own token."""
MOST_TOKENS: Final = 500
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_EXAMPLE: Final = 'write it as: shop = "SHA-256 of its token, in hexadecimal"'
KIND: Final = Kind("applications", _EXAMPLE)


class Applications:
    """The tokens that a file names; it is read again when it changes, so a token ends without a restart.

    A file that cannot be understood leaves the tokens that were known; a file that is gone leaves none.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Raise `WrongSettings` when there is a file that cannot be understood now."""
        self._known: Reread[Mapping[bytes, str]] = Reread(file, read, nothing={}, forgets=True)

    def bearing(self, token: bytes) -> str | None:
        """Return the application whose token this is, or nothing."""
        offered = hashlib.sha256(token).digest()
        # Every digest is compared, each in constant time: how long it takes tells nothing.
        found = [name for digest, name in self._known.now().items() if hmac.compare_digest(offered, digest)]
        return found[0] if found else None


def read(file: Path) -> Mapping[bytes, str]:
    """Return whose token each digest is of; raises `WrongSettings` with everything that is wrong."""
    found = tomlfile.read(file, KIND)
    names: dict[bytes, str] = {}
    problems = [problem for name, written in found.items() for problem in _take(file, name, written, names)]
    if len(names) > MOST_TOKENS:
        problems.append(Problem(str(file), f"more than {MOST_TOKENS} tokens", "let applications share one"))
    if problems:
        raise WrongSettings(*problems)
    return names


def _take(file: Path, name: str, written: object, names: dict[bytes, str]) -> list[Problem]:
    """Add an application's digests; return what is wrong with it, without its value."""
    where = f"{file}: {name[:64]}"
    if not _NAME.fullmatch(name) or name == DEFAULT:
        what = f"must be lower-case letters, digits and . _ -, and not '{DEFAULT}'"
        return [Problem(where, what, "name the application otherwise")]
    listed = written if isinstance(written, list) else [written]
    digests = [one for one in listed if isinstance(one, str) and _DIGEST.fullmatch(one)]
    if not digests or len(digests) < len(listed):
        return [Problem(where, "must be 64 hexadecimal digits, or a list of such", _EXAMPLE)]
    raw = [bytes.fromhex(one) for one in digests]
    if len(set(raw) - names.keys()) < len(raw):
        return [Problem(where, "a token belongs to one application", "draw another: openssl rand -hex 32")]
    names.update(dict.fromkeys(raw, name))
    return []
