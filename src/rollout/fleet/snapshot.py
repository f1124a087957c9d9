"""A snapshot: all wanted placements under a version, which is the leader's term and a hash of their JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from rollout.client.nodes import VERSION_CHARACTERS, SnapshotAnswer
from rollout.domain.assignment import Placement
from rollout.store.ledger_json import Unreadable, read, written

LARGEST_CHARACTERS: Final = 64 * 1024 * 1024


class WrongSnapshot(ValueError):
    """What should be a snapshot is none: nothing of it may be served."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One placement, and what it is called by: a hash of its text as the control plane wrote it."""

    placement: Placement
    text: str = field(repr=False)
    version: str

    @classmethod
    def of(cls, placement: Placement) -> Wanted:
        """Return a placement with its text."""
        text = written(placement)
        return cls(placement, text, _hash(text))


@dataclass(frozen=True, slots=True)
class Unread:
    """A placement that this program does not understand; the others are not to blame."""

    experiment: str | None
    text: str = field(repr=False)
    version: str
    reason: str

    @classmethod
    def kept(cls, name: str) -> Unread:
        """Return what no reader understands as a placement, so that each keeps what it has of this policy."""
        text = _canonical({"policy": {"name": name}})
        return cls(name, text, _hash(text), "the control plane does not know what it was")


Known = Mapping[str, Wanted | Unread]
NOTHING_KNOWN: Final[Known] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a data plane should serve, whole.

    The term is that of the control plane that wanted it: of two snapshots the one with the lower term is of a
    control plane that leads no longer, whatever it says and whenever it says it.
    """

    term: int
    digest: str
    parts: tuple[Wanted | Unread, ...]

    @classmethod
    def of(
        cls,
        placements: Iterable[Placement],
        *,
        before: Snapshot | None = None,
        kept: Iterable[str] = (),
        term: int | None = None,
    ) -> Snapshot:
        """Return the snapshot of these placements: equal ones have equal digests, on every machine.

        Without a term it is that of `before`: nobody else has come to lead.
        What `before` holds already is not written again: a step at a thousand experiments is one text.
        """
        old = {} if before is None else {one.placement.policy.name: one for one in before.wanted}
        parts = list[Wanted | Unread]()
        for placement in placements:
            same = old.get(placement.policy.name)
            is_same = same is not None and _is_same(same.placement, placement)
            parts.append(same if same is not None and is_same else Wanted.of(placement))
        parts += map(Unread.kept, sorted(kept))
        if term is None:
            term = 0 if before is None else before.term
        return cls(term, _digest(parts), tuple(parts))

    @property
    def version(self) -> str:
        """What it is called by."""
        return f"{self.term}-{self.digest}"

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """What this program understands."""
        return tuple(one for one in self.parts if isinstance(one, Wanted))

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What it does not."""
        return tuple(one for one in self.parts if isinstance(one, Unread))

    @property
    def placements(self) -> tuple[Placement, ...]:
        """The placements that this program understands."""
        return tuple(one.placement for one in self.wanted)

    @property
    def known(self) -> Known:
        """The parts by their versions."""
        return {one.version: one for one in self.parts}

    def text(self, known: Iterable[str] = ()) -> str:
        """Return it as it travels: a part whose version the reader knows is only named."""
        spared = frozenset(known)
        parts = (f'"{one.version}"' if one.version in spared else one.text for one in self.parts)
        return f'{{"placements":[{",".join(parts)}],"version":"{self.version}"}}'


def read_snapshot(content: str, known: Known = NOTHING_KNOWN) -> Snapshot:
    """Return the snapshot that was written for a reader who knows these parts.

    Raises `WrongSnapshot` unless all of it is there, unharmed.
    """
    if len(content) > LARGEST_CHARACTERS:
        raise WrongSnapshot(f"a snapshot of {len(content)} characters is larger than {LARGEST_CHARACTERS}")
    try:
        found = SnapshotAnswer.model_validate(json.loads(content))
        parts = tuple(_part(one, known) for one in found.placements)
    except (ValidationError, ValueError, RecursionError) as error:
        raise WrongSnapshot(f"not a snapshot: {str(error).splitlines()[0]}") from None
    term, _, told = found.version.partition("-")
    if _digest(parts) != told:
        raise WrongSnapshot("the snapshot's content does not have its version: it was cut or changed")
    return Snapshot(int(term), told, parts)


def _part(plain: object, known: Known) -> Wanted | Unread:
    if isinstance(plain, str):
        if plain not in known:
            raise ValueError("it names a placement that was not sent")
        return known[plain]
    text = _canonical(plain)
    version = _hash(text)
    if version in known:
        return known[version]
    try:
        return Wanted(read(Placement, text), text, version)
    except (Unreadable, ValueError, TypeError) as error:
        return Unread(_name_in(plain), text, version, f"not understood by this version: {error}")


def _is_same(one: Placement, other: Placement) -> bool:
    """Compare two placements; their policies are large, and mostly one and the same."""
    same_policy = one.policy is other.policy or one.policy == other.policy
    rest = (one.revision, one.split, one.layer_range)
    return same_policy and rest == (other.revision, other.split, other.layer_range)


def _digest(parts: Sequence[Wanted | Unread]) -> str:
    return _hash("\n".join(one.version for one in parts))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=VERSION_CHARACTERS // 2).hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _name_in(plain: object) -> str | None:
    policy = plain.get("policy") if isinstance(plain, dict) else None
    name = policy.get("name") if isinstance(policy, dict) else None
    return name[:200] if isinstance(name, str) else None
