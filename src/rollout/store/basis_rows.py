"""What decisions rest on, beside them: canonical JSON, compressed; its digest is in the decision's row."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import Connection, bindparam, delete, insert
from sqlmodel import Session, col

from rollout.domain.basis import Basis, is_kept_for_ever
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.errors import Problem, Stop
from rollout.store.auditing import table_of
from rollout.store.ledger_json import Unreadable, built, dumped, plain
from rollout.store.ledger_rows import BESIDE
from rollout.store.ledger_tables import BasisRow, DecisionRow

KEPT_US: Final = 30 * 86_400_000_000
KEPT_ENTRIES: Final = 200
"""How long it is kept of decisions that changed nothing, and of how many of a run's newest entries.

Of all others it is kept for ever.
"""
MOST_BYTES: Final = 64 * 1024 * 1024
"""More than any look could be: what is larger is not unpacked."""
_NEW: Final = insert(table_of(BasisRow))
_FADING: Final = delete(BasisRow).where(col(BasisRow.is_for_ever).is_(False))
_FORGET_OLD: Final = _FADING.where(col(BasisRow.at_us) < bindparam("before_us"))
_FORGET_FAR: Final = _FADING.where(
    col(BasisRow.uid) == bindparam("of"), col(BasisRow.number) <= bindparam("until")
)
_STATES: Final = frozenset({"before", "after"})


def text_of(basis: Basis) -> str:
    """Return a basis as canonical JSON; the policy, which stands beside its revision, is left out."""
    content = cast("dict[str, object]", plain(basis, without=_STATES))
    content["before"] = plain(basis.before, without=BESIDE)
    content["after"] = plain(basis.after, without=BESIDE)
    return dumped(content)


def basis_of(text: str, policy: Policy) -> Basis:
    """Return the basis that was written, or raise `Unreadable`."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(content, dict) or not content.keys() >= _STATES:
        raise Unreadable("not a basis")
    states = {name: built(Experiment, content.pop(name), policy=policy) for name in _STATES}
    return built(Basis, content, **states)


@dataclass(frozen=True, slots=True)
class Packed:
    """A basis as it is kept."""

    digest: str
    content: bytes


def packed(basis: Basis) -> Packed:
    """Return a basis as it is kept; made before the transaction, which others wait for."""
    text = text_of(basis).encode()
    # A higher level takes seven times as long and saves a tenth.
    return Packed(_digest(text), zlib.compress(text, 1))


def keep(connection: Connection, uid: str, entry: Entry, content: Packed) -> None:
    """Add what an entry rests on, and give up what has been kept for long enough."""
    row = BasisRow(
        uid=uid,
        number=entry.number,
        is_for_ever=is_kept_for_ever(entry.decision),
        at_us=entry.at_us,
        content=content.content,
    )
    connection.execute(_NEW, row.model_dump())
    connection.execute(_FORGET_OLD, {"before_us": entry.at_us - KEPT_US})
    connection.execute(_FORGET_FAR, {"of": uid, "until": entry.number - KEPT_ENTRIES})


def found(session: Session, decision: DecisionRow, policy: Policy) -> Basis | None:
    """Return what a decision rests on, or None when it was given up or never kept."""
    row = session.get(BasisRow, (decision.uid, decision.number))
    if row is None:
        return None
    where = f"{decision.uid}, decision {decision.number}"
    text = unpacked(row.content, decision.basis_digest)
    if text is None:
        raise changed(f"{where}, what it rests on")
    try:
        return basis_of(text.decode(), policy)
    except Unreadable as error:
        remedy = "a newer rollout may have written it: replay it with that one"
        raise Stop(Problem(f"ledger: {where}", str(error), remedy)) from None


def unpacked(content: bytes, digest: str | None) -> bytes | None:
    """Return the text that was kept, or None when it is not that of its digest."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(content, MOST_BYTES)
    except zlib.error:
        return None
    return text if unpacking.eof and _digest(text) == digest else None


def changed(what: str) -> Stop:
    """Return what is said of a record that is not what was recorded."""
    remedy = "somebody changed the database: `rollout audit verify` says what else was changed"
    return Stop(Problem(f"ledger: {what}", "is not what was recorded", remedy))


def _digest(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
