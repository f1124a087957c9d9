"""A certificate authority of one's own, for servers that speak TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """Vouches for names; its files lie in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._key = folder / "ca.key"
        _openssl(
            *("req", "-x509", *_KEY, "-days", "2", "-subj", "/CN=tests"),
            *("-keyout", self._key, "-out", self.file),
        )

    def certificate(self, name: str) -> Path:
        """Return a PEM file with a key and a certificate for a name, such as `DNS:model.example`."""
        stem = self.folder / name.replace(":", "-")
        key, request, own, both = (stem.with_suffix(f".{end}") for end in ("key", "csr", "crt", "pem"))
        names = stem.with_suffix(".ext")
        names.write_text(f"subjectAltName={name}\n")
        _openssl("req", *_KEY, "-subj", "/CN=server", "-keyout", key, "-out", request)
        _openssl(
            *("x509", "-req", "-days", "2", "-in", request, "-out", own, "-extfile", names),
            *("-CA", self.file, "-CAkey", self._key, "-CAcreateserial"),
        )
        both.write_text(key.read_text() + own.read_text())
        return both


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
