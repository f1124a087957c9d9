"""What the names in policies mean on this node: certificates, and secrets that only Envoy is shown."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rollout import logs
from rollout.agent.private import write_private
from rollout.envoy.upstreams import Upstreams, credential_text
from rollout.errors import Problem, WrongSettings

EVERY_S: Final = 5.0
"""How often a file of a secret is looked at: who renews it need not tell anybody."""
LARGEST_SECRET: Final = 8_192
FOLDER: Final = "secrets"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_log = logs.get("names")


@dataclass(frozen=True, slots=True)
class Named:
    """The files that a node's settings give names to."""

    ca_files: Mapping[str, Path] = field(default_factory=dict)
    credential_files: Mapping[str, Path] = field(default_factory=dict)
    public_ca_file: Path | None = None


class Names:
    """Resolves names for the Envoy of a folder; raises `WrongSettings` when a file is not what it should be.

    A credential's value goes into a file of Envoy's own, which is replaced when the value changes.
    """

    def __init__(self, named: Named, envoy_folder: Path) -> None:
        self._folder = envoy_folder / FOLDER
        self._files = {name: file.expanduser() for name, file in named.credential_files.items()}
        self._sent: dict[str, str] = {}
        self._failing: set[str] = set()
        problems = [
            *(_wrong_certificates(name, file.expanduser()) for name, file in named.ca_files.items()),
            *(self._wrong_credential(name) for name in self._files),
        ]
        found = [problem for problem in problems if problem is not None]
        if found:
            raise WrongSettings(*found)
        public = named.public_ca_file or _own_authorities()
        self.upstreams = Upstreams(
            ca_files={name: str(file.expanduser().resolve()) for name, file in named.ca_files.items()},
            public_ca_file=None if public is None else str(public.expanduser().resolve()),
            credential_files={name: f"{FOLDER}/{name}.json" for name in self._files},
        )

    def run(self, stop: threading.Event, *, interval_s: float = EVERY_S) -> None:
        """Follow the files of secrets until told to stop; one that cannot be used leaves the last value."""
        while not stop.wait(interval_s):
            self.step()

    def step(self) -> None:
        """Hand Envoy every secret that has changed."""
        for name in self._files:
            problem = self._wrong_credential(name)
            if problem is None:
                self._failing.discard(name)
            elif name not in self._failing:
                self._failing.add(name)
                _log.warning("a secret cannot be renewed; the last one stays", problem=str(problem))

    def _wrong_credential(self, name: str) -> Problem | None:
        """Write one secret for Envoy when it is new, or say why that is impossible; never what it is."""
        file, where = self._files[name], f"credential_files: {name}"
        if not _NAME.fullmatch(name):
            return Problem(where, "cannot be a file's name", "use letters, digits and the signs . _ -")
        try:
            with file.open("rb") as stream:
                value = stream.read(LARGEST_SECRET + 1).decode("ascii").strip()
            if len(value) > LARGEST_SECRET or not _VALUE.fullmatch(value):
                return Problem(where, f"{file} holds no one line of printable ASCII", "put the value there")
            if self._sent.get(name) != value:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_private(self._folder / f"{name}.json", credential_text(name, value))
                self._sent[name] = value
        except UnicodeDecodeError:
            return Problem(where, f"{file} holds no one line of printable ASCII", "put the value there")
        except OSError as error:
            return Problem(where, f"{file}: {(error.strerror or str(error)).lower()}", "name a readable file")
        return None


def _wrong_certificates(name: str, file: Path) -> Problem | None:
    where = f"ca_files: {name}"
    try:
        ssl.create_default_context(cafile=str(file))
    except ssl.SSLError:
        return Problem(where, f"{file} holds no certificates", "name a PEM file of certificates")
    except OSError as error:
        return Problem(where, f"{file}: {(error.strerror or str(error)).lower()}", "name a readable file")
    return None


def _own_authorities() -> Path | None:
    """Return this machine's own file of public authorities, where there is one."""
    found: str | None = ssl.get_default_verify_paths().cafile  # None where OpenSSL knows of no such file
    return Path(found) if found else None
