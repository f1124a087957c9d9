"""TLS for a listener: a certificate from files, read again when they change, so that it is renewed."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout import logs
from rollout.errors import Problem, WrongSettings

LOOKED_AT_EVERY_S: Final = 5.0
_log = logs.get("tls")


@dataclass(frozen=True, slots=True)
class Tls:
    """A listener's PEM files: its certificate, with what stands between it and its authority, and its key."""

    certificate_file: Path
    key_file: Path

    def context(self) -> ssl.SSLContext:
        """Return what a server speaks TLS with; raise `WrongSettings` when the files cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load(context)
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Have new connections use the files as they are now."""
        try:
            context.load_cert_chain(self.certificate_file, self.key_file, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            what = f"cannot be used for TLS ({why.lower()})"
            remedy = "name a certificate and its own key, both as PEM, the key without a password"
            raise WrongSettings(Problem(str(self.certificate_file), what, remedy)) from None

    def stamps(self) -> tuple[tuple[int, int], ...]:
        """Return what changes when a file does."""
        found = (self.certificate_file.stat(), self.key_file.stat())
        return tuple((one.st_mtime_ns, one.st_ino) for one in found)

    def keep_new(
        self, context: ssl.SSLContext, ending: threading.Event, every_s: float = LOOKED_AT_EVERY_S
    ) -> None:
        """Load the files whenever they change, until the end; what cannot be used leaves what was used."""
        known = self.stamps()
        while not ending.wait(every_s):
            try:
                found = self.stamps()
                if found == known:
                    continue
                known = found
                # Tried apart first: files that are half renewed must not take what is served.
                self.context()
                self.load(context)
                _log.info("a new certificate is used", file=str(self.certificate_file))
            except (OSError, WrongSettings) as error:
                _log.error("the certificate cannot be used; the one before stays", reason=str(error))


def _no_password() -> str:
    raise ValueError("the key has a password")
