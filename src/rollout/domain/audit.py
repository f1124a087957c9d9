"""What was done, by whom and why: one line of the audit, which is only ever added to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FIRST: Final = ""
"""What the first line holds as the hash of the one before."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person, a program or the controller did."""

    at_us: int
    who: str
    """The person, or whoever else asked for it; the controller for what it decides by itself."""
    token: str | None
    """The name of the token that was shown; none where nothing was shown, as for the controller itself."""
    origin: str | None
    """From which address, where there is one."""
    verb: str
    subject: str
    """The policy, the token or whatever else it was done to."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """An act as it was written down: its place, the row that it vouches for, and the chain."""

    number: int
    """Counts from 1, without gaps."""
    act: Act
    about: str | None
    """The row that it vouches for: its table and its key."""
    content: str | None
    """The digest of that row."""
    previous: str
    hash: str

    @property
    def own_hash(self) -> str:
        """The hash of everything that it says, its place and the line before it included."""
        act = self.act
        said = [
            *(self.number, act.at_us, act.who, act.token, act.origin, act.verb, act.subject, act.why),
            *(self.about, self.content, self.previous),
        ]
        return _digest(said)


def row_digest(table: str, row: Mapping[str, object]) -> str:
    """Return the digest of a row that is never changed; a column that it has not is as one that is empty.

    So a table may get more columns later. None of them may be renamed or dropped.
    """
    return _digest([table, {name: value for name, value in sorted(row.items()) if value is not None}])


def _digest(said: object) -> str:
    content = json.dumps(said, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(content.encode()).hexdigest()
