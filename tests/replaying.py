"""Every recorded entry of a run, recomputed from its basis; whoever plays lives asks it at their end."""

from __future__ import annotations

from typing import Protocol

from rollout import __version__
from rollout.domain.basis import Basis, is_kept_for_ever
from rollout.domain.history import Entry
from rollout.domain.replay import Replayed, replay
from rollout.store.basis_rows import KEPT_ENTRIES


class Recorded(Protocol):
    """Where entries and their bases are."""

    def history(self, uid: str) -> tuple[Entry, ...]:
        """Return a run's entries, the oldest first."""

    def basis(self, uid: str, number: int) -> Basis | None:
        """Return what an entry rests on."""


def replayed(ledger: Recorded, uid: str) -> tuple[Replayed, ...]:
    """Return what recomputing every entry of a run came to; each must have its basis, if it is kept."""
    entries = ledger.history(uid)
    found = []
    for previous, entry in zip((None, *entries), entries, strict=False):
        basis = ledger.basis(uid, entry.number)
        if basis is None:
            assert not is_kept_for_ever(entry.decision)
            assert entry.number <= len(entries) - KEPT_ENTRIES
            continue
        found.append(replay(entry, basis, previous, program=__version__))
    return tuple(found)


def assert_all_agree(ledger: Recorded, uid: str) -> int:
    """Recompute every entry of a run to the last bit, and return how many there are."""
    found = replayed(ledger, uid)
    assert [one for one in found if one.differences or one.trifles] == []
    return len(found)
