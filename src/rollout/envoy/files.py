"""The folder that Envoy watches: whole files only, and beside each the last one that Envoy acknowledged."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rollout.envoy.document import Configuration, Document, Kind
from rollout.envoy.translate import translate


class ConfigurationFiles:
    """The three files of one folder.

    `good/` holds a second name (a hard link) of the last acknowledged version of each, so that a refused
    one is undone, and a crash in between is too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._good = folder / "good"

    def recover(self) -> Configuration:
        """Put the last acknowledged files in place, empty ones where there are none, and return them."""
        self._good.mkdir(parents=True, exist_ok=True)
        configuration = translate(())
        for kind in Kind:
            with contextlib.suppress(OSError, ValueError):  # never written, or cut off by a power failure
                held = (self._good / kind.file_name).read_text(encoding="utf-8")
                configuration = configuration.having(Document.read(kind, held))
            self.write(configuration.of_kind(kind))
        return configuration

    def write(self, document: Document) -> None:
        """Replace a file at once: Envoy reads it when the name moves."""
        fresh = self._folder / f"{document.kind.file_name}.new"
        fresh.write_text(document.text, encoding="utf-8")
        fresh.replace(self._folder / document.kind.file_name)

    def keep(self, kind: Kind) -> None:
        """Remember the file in place as the last good one."""
        _link(self._folder / kind.file_name, self._good / kind.file_name)

    def restore(self, kind: Kind) -> None:
        """Put the last good file back in place."""
        _link(self._good / kind.file_name, self._folder / kind.file_name)


def _link(source: Path, target: Path) -> None:
    fresh = target.with_name(f"{target.name}.link")
    fresh.unlink(missing_ok=True)
    fresh.hardlink_to(source)
    fresh.replace(target)
