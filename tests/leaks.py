"""What a test wrote and what was said is searched for secrets once it has ended: none may stand in a log.

A secret is what has the shape of one (a token, a webhook's key, a private key), what a test's own files are
there to keep (`unit.key`, a password's file), and every constant of its module that is named as one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Final

SHAPES: Final = re.compile(
    rb"rollout_[0-9a-f]{64}|whsec_[A-Za-z0-9+/]{32,}=*|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
NAMED: Final = re.compile(r"\w*(SECRET|PASSWORD|TOKEN|UNIT_KEY)")
SHORTEST: Final = 7
MOST_FILES: Final = 5_000
"""Of one folder; one that holds more fails the run."""
ENDS_BYTES: Final = 8 * 2**20
"""Of a larger file its first and its last so many bytes are searched."""
KEEPERS: Final[Mapping[str, str]] = {
    "unit.key": "the key of the hash, drawn by a house or a node",
    "*password*": "a password that a test gives",
}
"""Files whose content is a secret: it may stand nowhere else."""
HOLDERS: Final[Mapping[str, str]] = {
    "token": "a house's own token, drawn into this file, for its owner alone",
    "*.token": "a token that a test gives, as its owner would keep it",
    **KEEPERS,
    "secret.json": "an upstream's credential that a test gives, in Envoy's own form",
    "*.received": "what a test's upstream was sent, its credential with it",
    "*.toml": "settings, receivers and applications that a test gives",
    "*.key": "the private key of a certificate that a test makes",
    "*.pem": "the same, with its certificate",
}
"""The only files that may hold a secret, and why."""
PACKED: Final = ("*.parquet", "*.gz", "*.zst")
"""Nothing is found in these without unpacking them; the tests of the lake look at what is in them."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Where a secret stands that should not, and what kind it is of; never the secret."""

    where: str
    kind: str

    def __str__(self) -> str:
        return f"{self.where} holds {self.kind}"


@dataclass(slots=True)
class Searched:
    """How much was looked at."""

    files: int = 0
    bytes: int = 0
    texts: int = 0

    def add(self, files: int, size: int, texts: int) -> None:
        """Count more."""
        self.files, self.bytes, self.texts = self.files + files, self.bytes + size, self.texts + texts


@dataclass(slots=True)
class Search:
    """Looks for secrets; those that are known by their value beside those that have a shape."""

    searched: Searched = field(default_factory=Searched)

    def folder(self, folder: Path, known: Mapping[bytes, str]) -> Iterator[Leak]:
        """Yield what stands where it should not, of every file of a folder."""
        files = list(_files(folder))
        known = {**known, **_kept(files)}
        open_ones = [path for path in files if not _is_one_of(path, [*HOLDERS, *PACKED])]
        if len(open_ones) > MOST_FILES:
            yield Leak(str(folder), f"{len(open_ones)} files, too many to be searched")
        for path in open_ones[:MOST_FILES]:
            content = _ends(path)
            self.searched.add(1, len(content), 0)
            yield from leaks(str(path.relative_to(folder)), content, known)

    def text(self, where: str, text: str, known: Mapping[bytes, str]) -> Iterator[Leak]:
        """Yield what stands in something that was said."""
        self.searched.add(0, 0, 1)
        yield from leaks(where, text.encode(errors="replace"), known)


def leaks(where: str, content: bytes, known: Mapping[bytes, str] = {}) -> Iterator[Leak]:
    """Yield each kind of secret that a content holds."""
    if SHAPES.search(content) is not None:
        yield Leak(where, "what has the shape of a token or a key")
    for secret, kind in known.items():
        if secret in content:
            yield Leak(where, kind)


def refuse(where: str, text: str) -> None:
    """Raise when a text holds what has a secret's shape; the text is not repeated."""
    found = list(leaks(where, text.encode(errors="replace")))
    assert not found, f"{'; '.join(map(str, found))}, which no log may"


def named_in(module: ModuleType | None) -> dict[bytes, str]:
    """Return the constants of a module that are named as secrets are."""
    found = {} if module is None else vars(module)
    return {
        value.encode(): f"{name} of its module"
        for name, value in found.items()
        if NAMED.fullmatch(name) and isinstance(value, str) and len(value) >= SHORTEST
    }


def _kept(files: Iterable[Path]) -> dict[bytes, str]:
    """Return the secrets that files of a folder are there to keep."""
    kept = ((path, _ends(path).strip()) for path in files if _is_one_of(path, KEEPERS))
    return {content: f"what {path.name} keeps" for path, content in kept if len(content) >= SHORTEST}


def _files(folder: Path) -> Iterator[Path]:
    for within, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(within, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _is_one_of(path: Path, patterns: Iterable[str]) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in patterns)


def _ends(path: Path) -> bytes:
    """Return what a file holds, or its two ends; nothing when it cannot be read."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= 2 * ENDS_BYTES:
                return stream.read(2 * ENDS_BYTES)
            first = stream.read(ENDS_BYTES)
            stream.seek(-ENDS_BYTES, os.SEEK_END)
            return first + b"\n" + stream.read(ENDS_BYTES)
    except OSError:
        return b""
