"""A snapshot: all wanted placements under a version that is a hash of their canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from rollout.client.nodes import VERSION_CHARACTERS, SnapshotAnswer
from rollout.domain.assignment import Placement
from rollout.store.ledger_json import Unreadable, read, written

LARGEST_BYTES: Final = 64 * 1024 * 1024


class WrongSnapshot(ValueError):
    """What should be a snapshot is none: nothing of it may be served."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One placement, and what it is called by: a hash of its text as the control plane wrote it."""

    placement: Placement
    text: str
    version: str

    @classmethod
    def of(cls, placement: Placement) -> Wanted:
        """Return a placement with its text."""
        text = written(placement)
        return cls(placement, text, _hash([text]))


@dataclass(frozen=True, slots=True)
class Unread:
    """A placement that this program does not understand; the others are not to blame."""

    experiment: str | None
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a data plane should serve, whole."""

    version: str
    wanted: tuple[Wanted, ...]
    text: str
    unread: tuple[Unread, ...] = ()

    @classmethod
    def of(cls, placements: Sequence[Placement]) -> Snapshot:
        """Return the snapshot of these placements: equal ones have equal versions, on every machine."""
        wanted = tuple(Wanted.of(placement) for placement in placements)
        version = _hash([one.text for one in wanted])
        joined = ",".join(one.text for one in wanted)
        return cls(version, wanted, f'{{"placements":[{joined}],"version":"{version}"}}')

    @property
    def placements(self) -> tuple[Placement, ...]:
        """The placements that this program understands."""
        return tuple(one.placement for one in self.wanted)


def read_snapshot(content: str) -> Snapshot:
    """Return the snapshot that was written; raise `WrongSnapshot` unless all of it is there, unharmed."""
    if len(content) > LARGEST_BYTES:
        raise WrongSnapshot(f"a snapshot of {len(content)} characters is larger than {LARGEST_BYTES}")
    try:
        found = SnapshotAnswer.model_validate(json.loads(content))
        texts = [_canonical(one) for one in found.placements]
    except (ValidationError, ValueError, RecursionError) as error:
        raise WrongSnapshot(f"not a snapshot: {str(error).splitlines()[0]}") from None
    if _hash(texts) != found.version:
        raise WrongSnapshot("the snapshot's content does not have its version: it was cut or changed")
    wanted, unread = [], []
    for plain, text in zip(found.placements, texts, strict=True):
        try:
            wanted.append(Wanted(read(Placement, text), text, _hash([text])))
        except (Unreadable, ValueError, TypeError) as error:
            unread.append(Unread(_name_in(plain), _hash([text]), f"not understood by this version: {error}"))
    return Snapshot(found.version, tuple(wanted), content, tuple(unread))


def _hash(texts: Sequence[str]) -> str:
    content = "\n".join(texts).encode()  # canonical JSON has no line breaks of its own
    return hashlib.blake2b(content, digest_size=VERSION_CHARACTERS // 2).hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _name_in(plain: object) -> str | None:
    policy = plain.get("policy") if isinstance(plain, dict) else None
    name = policy.get("name") if isinstance(policy, dict) else None
    return name[:200] if isinstance(name, str) else None
