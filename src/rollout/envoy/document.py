"""What Envoy reads from files: resources of one kind under a version that is a function of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self, TypeAlias

import msgspec

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


class _File(msgspec.Struct, frozen=True):
    """What stands in a file."""

    version_info: str
    resources: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Document:
    """One version of one file."""

    kind: Kind
    version: str
    text: str = field(repr=False)
    """The file's content."""
    resources: tuple[JsonObject, ...] = field(repr=False, compare=False)
    """What it is made of; of routes nothing."""

    @classmethod
    def of(cls, kind: Kind, resources: Iterable[JsonObject]) -> Self:
        """Return the document of these resources; equal resources make equal versions, on every machine."""
        held = tuple(resources)
        body = msgspec.json.encode(held)
        version = hashlib.blake2b(body, digest_size=8).hexdigest()
        text = msgspec.json.encode(_File(version, msgspec.Raw(body))).decode()
        # Nobody reads routes again. As a tree those of a thousand policies are two million objects, and each
        # time Python looks for garbage among them, everything else waits for a quarter of a second.
        return cls(kind, version, text, () if kind is Kind.ROUTES else held)

    @classmethod
    def read(cls, kind: Kind, text: str) -> Self:
        """Read what `text` wrote, or raise ValueError."""
        try:
            body = msgspec.json.decode(text, type=_File).resources
            resources = msgspec.json.decode(body, type=list[dict[str, Any]])
        except msgspec.MsgspecError as error:
            raise ValueError(f"{kind.file_name}: {error}") from None
        return cls.of(kind, resources)


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
