"""What was kept: runs, decisions and acts as they stand in the control database, and what actions did."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from rollout.policyfile.digest import digest
from rollout.store.audit import Head
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.replaying import replayed

_CANDIDATE: Final = re.compile(r'candidate: \{version: "(\w+)"')
_RUNS: Final = (
    "SELECT e.uid, e.name, e.version, e.entries, r.text FROM experiment e "
    "JOIN revision r ON r.uid = e.uid ORDER BY e.number, r.revision"
)
_DECISIONS: Final = "SELECT uid, number, at_us, action, reason, wish FROM decision ORDER BY uid, number"
_ACTS: Final = "SELECT verb, subject, why, about FROM audit ORDER BY number"


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run, as it stands in the database."""

    uid: str
    name: str
    candidate: str
    version: int
    """How often its state was recorded."""
    entries: int


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """A decision, as it stands there."""

    uid: str
    number: int
    at_us: int
    action: str
    reason: str
    why: str | None = None
    """What a person gave as the reason of a wish that it answers."""


@dataclass(frozen=True, slots=True)
class KeptAct:
    """A line of the audit."""

    verb: str
    subject: str
    why: str
    about: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """What an action wrote when it was carried out."""

    at_us: int
    action: str
    name: str
    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class Kept:
    """All of it."""

    runs: Sequence[KeptRun] = ()
    decisions: Sequence[KeptDecision] = ()
    acts: Sequence[KeptAct] = ()
    lines: Sequence[Line] = ()
    disagreeing: Sequence[str] = ()
    """Decisions that recomputing did not confirm."""
    audit: Sequence[str] = ()
    """What checking the whole audit found."""


class Records:
    """Reads them again and again; a decision that was recomputed once is not recomputed again."""

    def __init__(self, database: str | Path, effects: Path) -> None:
        self._address, self._effects = database, effects
        self._replayed: dict[str, int] = {}
        self._disagreeing: list[str] = []
        self._head: Head | None = None
        self.recomputed = 0

    def read(self) -> Kept:
        """Return what is kept now."""
        database = Database.reader(self._address)
        try:
            ledger = SqlLedger(database, new_uid=lambda: "", digest=digest)
            verified = ledger.verify(known=self._head)
            self._head = verified.newest
            with database.read() as connection:
                runs, decisions, acts = _runs(connection), _decisions(connection), _acts(connection)
            self._recompute(ledger, {run.uid: run.entries for run in runs})
        finally:
            database.close()
        return Kept(
            runs,
            decisions,
            acts,
            lines(self._effects),
            tuple(self._disagreeing),
            tuple(f"{one.where}: {one.what}" for one in verified.problems),
        )

    def _recompute(self, ledger: SqlLedger, entries: dict[str, int]) -> None:
        for uid, number in entries.items():
            if self._replayed.get(uid) == number:
                continue
            self._replayed[uid] = number
            found = replayed(ledger, uid)
            self.recomputed += len(found)
            self._disagreeing += [
                f"{uid}: {one.differences or one.trifles}" for one in found if one.differences or one.trifles
            ]


def lines(effects: Path) -> list[Line]:
    """Return what actions wrote; one that writes half a line is no line, and raises."""
    if not effects.exists():
        return []
    found = []
    for line in effects.read_text(encoding="utf-8").splitlines():
        at_ns, action, name, uid, version = line.split()
        found.append(Line(int(at_ns) // 1_000, action, name, uid, version))
    return found


def _runs(connection: Connection) -> list[KeptRun]:
    found = {}
    for uid, name, version, entries, policy in connection.execute(text(_RUNS)):
        named = _CANDIDATE.search(policy)
        assert named is not None, policy
        found[uid] = KeptRun(uid, name, named[1], version, entries)
    return list(found.values())


def _decisions(connection: Connection) -> list[KeptDecision]:
    return [
        KeptDecision(uid, number, at_us, action, reason, None if wish is None else json.loads(wish)["why"])
        for uid, number, at_us, action, reason, wish in connection.execute(text(_DECISIONS))
    ]


def _acts(connection: Connection) -> list[KeptAct]:
    return [KeptAct(*row) for row in connection.execute(text(_ACTS))]
