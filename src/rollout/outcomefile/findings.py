"""What was found in one file: everything counted, and the first of each kind of thing named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rollout.api.told import Told
from rollout.errors import Problem
from rollout.outcomefile.repeats import Repeats
from rollout.outcomefile.source import Form

SHOWN: Final = 20
"""Problems of one file that are shown; all are counted."""
MOST_METRICS: Final = 100
MOST_COLUMNS: Final = 20


@dataclass(frozen=True, slots=True)
class Wrong:
    """One row that is not taken."""

    line: int
    why: str


@dataclass(slots=True)
class Findings:
    """What was found so far."""

    name: str
    form: Form
    unused: Sequence[str] = ()
    rows: int = 0
    good: int = 0
    """Rows with which nothing is wrong; of an import, those that were taken."""
    rejected: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    """How many rows were rejected for which part."""
    metrics: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int | None = None
    keyless: int = 0
    repeats: Repeats = field(default_factory=Repeats)
    failures: tuple[Problem, ...] = ()
    """Why it was not read, or not taken, to its end."""
    was_stopped: bool = False
    """Whether it was the door that took no more."""

    def reject(self, line: int, why: str) -> None:
        """Count a row that is not taken."""
        self.rejected += 1
        part, sign, _ = why.partition(":")
        self.kinds[part if sign and part.isidentifier() else "row"] += 1
        if len(self.wrong) < SHOWN:
            self.wrong.append(Wrong(line, why))

    def take(self, told: Told) -> None:
        """Count an outcome that is taken."""
        self.good += 1
        self.keyless += told.key is None
        if told.metric in self.metrics or len(self.metrics) < MOST_METRICS:
            self.metrics[told.metric] += 1
        self.first_us = told.ts_us if self.first_us is None else min(self.first_us, told.ts_us)
        self.last_us = told.ts_us if self.last_us is None else max(self.last_us, told.ts_us)

    @property
    def is_fine(self) -> bool:
        """Whether every row counts."""
        return not (self.rejected or self.repeats.conflicts or self.failures)
