"""What Envoy reads from files: resources of one kind under a version that is a function of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]

TYPE: Final = "type.googleapis.com/"
ROLLOUT: Final = "rollout"
"""What our resources are called inside Envoy."""


class Kind(StrEnum):
    """The three files; the value is the file's stem."""

    CLUSTERS = "cds"
    ROUTES = "rds"
    WEIGHTS = "rtds"

    @property
    def file_name(self) -> str:
        """The file that Envoy watches."""
        return f"{self}.json"


@dataclass(frozen=True, slots=True)
class Document:
    """One version of one file."""

    kind: Kind
    resources: tuple[JsonObject, ...]
    version: str

    @classmethod
    def of(cls, kind: Kind, resources: Iterable[JsonObject]) -> Self:
        """Return the document of these resources; equal resources make equal versions, on every machine."""
        held = tuple(resources)
        return cls(kind, held, hashlib.blake2b(_compact(held), digest_size=8).hexdigest())

    @classmethod
    def read(cls, kind: Kind, text: str) -> Self:
        """Read what `text` wrote, or raise ValueError."""
        match json.loads(text):
            case {"resources": [*resources]} if all(isinstance(one, dict) for one in resources):
                return cls.of(kind, resources)
            case _:
                raise ValueError(f"{kind.file_name}: no list of resources")

    @property
    def text(self) -> str:
        """The file's content."""
        return _compact({"version_info": self.version, "resources": self.resources}).decode()


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that Envoy reads while it runs."""

    clusters: Document
    routes: Document
    weights: Document

    def of_kind(self, kind: Kind) -> Document:
        """Return one of the three."""
        return {Kind.CLUSTERS: self.clusters, Kind.ROUTES: self.routes, Kind.WEIGHTS: self.weights}[kind]

    def having(self, document: Document) -> Configuration:
        """Return the configuration with one document replaced."""
        parts = {kind: self.of_kind(kind) for kind in Kind} | {document.kind: document}
        return Configuration(parts[Kind.CLUSTERS], parts[Kind.ROUTES], parts[Kind.WEIGHTS])


def _compact(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
