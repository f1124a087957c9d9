"""The accounts of every run over one lake, kept up to date: disposable, made again from the files alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import duckdb
import numpy as np

from rollout.domain.records import Run
from rollout.errors import Problem, Retry
from rollout.lake.accounts.accounts import Accounts
from rollout.lake.accounts.asked import Asked
from rollout.lake.accounts.exposures import NOTHING, Exposures
from rollout.lake.accounts.filed import Cursors, Filed, Overtaken
from rollout.lake.accounts.outcomes import Outcomes, Told
from rollout.lake.accounts.reading import Reading
from rollout.lake.accounts.sets import NOBODY, distinct
from rollout.lake.engine import connect
from rollout.lake.segments import Kind
from rollout.stats.arrays import IntArray

ATTEMPTS: Final = 3
ENGINE_MEMORY: Final = "512MB"
LARGEST: Final = 2**30
"""Bytes that all accounts may take, without more being said."""
FORGET_US: Final = 600_000_000
"""After so long the accounts of a run that nobody asks about are given up."""
Answer = TypeVar("Answer")
Question: TypeAlias = Callable[[Accounts, Mapping[str, Outcomes]], Answer]
Taken = Callable[[int, int], object]


class Books:
    """Answers questions about units from memory, after taking in what was filed since the last one."""

    def __init__(
        self,
        folder: Path,
        *,
        cursors: Cursors | None = None,
        threads: int = 2,
        memory: int = LARGEST,
        on_taken: Taken = lambda _done, _due: None,
    ) -> None:
        self._folder, self._memory, self._on_taken = folder, memory, on_taken
        self._engine = connect(threads=threads, memory_limit=ENGINE_MEMORY)
        self._reading = Reading(self._engine)
        self._filed = Filed(folder, cursors)
        self._turn, self._asking = threading.Lock(), threading.Lock()
        self._wanted: dict[tuple[Run, int], tuple[Asked, int]] = {}
        self._accounts: dict[tuple[Run, int], Accounts] = {}
        self._outcomes: dict[str, Outcomes] = {}
        self._outcomes_from_us: dict[str, int] = {}

    def ask(self, asked: Asked, question: Question[Answer], now_us: int) -> Answer:
        """Return a question's answer from a run's accounts; raises `Retry` while the lake cannot be read.

        Runs that are asked about for the first time at once are read together, in one pass over the lake.
        """
        key = (asked.run, asked.since_us)
        with self._asking:
            self._wanted[key] = (asked, now_us)
        with self._turn:
            self._refresh(now_us)
            return question(self._accounts[key], self._outcomes)

    def check(self, now_us: int) -> dict[str, tuple[str, ...]]:
        """Return, for each run, what differs from accounts that are made anew: nothing, while all is well."""
        with self._turn:
            self._refresh(now_us)
            kept = self._accounts, self._outcomes, self._outcomes_from_us
            self._accounts, self._outcomes, self._outcomes_from_us = {}, {}, {}
            try:
                asked = [one.asked for one in kept[0].values()]
                self._open(asked, self._filed.taken(Kind.EXPOSURES), self._filed.taken(Kind.OUTCOMES))
                anew = self._accounts
            finally:
                self._accounts, self._outcomes, self._outcomes_from_us = kept
            return {
                f"{run.experiment}/{run.revision}": differences(one, anew[run, since_us])
                for (run, since_us), one in self._accounts.items()
            }

    @property
    def folder(self) -> Path:
        """Where the segments lie."""
        return self._folder

    def forget(self) -> None:
        """Give up everything: the next question is answered from the files again."""
        with self._turn:
            self._reset()

    @property
    def nbytes(self) -> int:
        """How much memory all accounts take."""
        held: list[Accounts | Outcomes] = [*self._accounts.values(), *self._outcomes.values()]
        return sum(one.nbytes for one in held)

    def _refresh(self, now_us: int) -> None:
        for attempt in range(ATTEMPTS):
            try:
                self._take_in(now_us)
            except Overtaken:
                self._reset()
            except (duckdb.Error, OSError) as error:
                # What was half taken in would be counted twice. A listed file may be gone: superseded since.
                self._reset()
                if attempt + 1 == ATTEMPTS or not isinstance(error, duckdb.IOException):
                    what, remedy = str(error).splitlines()[0], "see its disk and files; it is asked again"
                    raise Retry(Problem("the lake", what, remedy)) from error
            except BaseException:
                self._reset()
                raise
            else:
                break
        else:
            what = "its files are merged faster than they are read"
            raise Retry(Problem("the lake", what, "it is asked again"))
        if self.nbytes > self._memory:
            what = f"the accounts of all units take more than {self._memory // 2**20} MiB"
            raise Retry(Problem("the lake", what, "raise the setting `evidence_memory_mib`, or end a run"))

    def _take_in(self, now_us: int) -> None:
        with self._asking:
            self._wanted = {
                key: (asked, at_us)
                for key, (asked, at_us) in self._wanted.items()
                if now_us - at_us < FORGET_US
            }
            wanted = {key: asked for key, (asked, _) in self._wanted.items()}
        self._accounts = {
            key: one for key, one in self._accounts.items() if key in wanted and one.asked == wanted[key]
        }
        opened = [asked for key, asked in wanted.items() if key not in self._accounts]
        if self._filed.has_news():
            exposures, seen = self._filed.fresh(Kind.EXPOSURES)
            outcomes, told = self._filed.fresh(Kind.OUTCOMES)
            retold = self._hear(outcomes)
            self._follow([*self._accounts.values()], exposures, retold)
            self._filed.advance({**seen, **told})
        if opened:
            self._open(opened, self._filed.taken(Kind.EXPOSURES), self._filed.taken(Kind.OUTCOMES))

    def _hear(self, paths: Sequence[Path]) -> dict[str, IntArray]:
        """Take in new outcomes, and return whose changed, by metric."""
        if not self._outcomes:
            return {}
        from_us = min(self._outcomes_from_us.values())
        found = self._reading.outcomes(paths, [*self._outcomes], from_us=from_us)
        changed = {}
        for metric, told in found.items():
            recent = told.chosen(told.ts_us >= self._outcomes_from_us[metric])
            changed[metric] = self._outcomes[metric].add(recent)
        return changed

    def _follow(
        self, accounts: Sequence[Accounts], paths: Sequence[Path], retold: Mapping[str, IntArray]
    ) -> None:
        """Bring runs up to date."""
        for one in accounts:
            changed = [retold[metric] for metric in one.asked.metrics if metric in retold]
            heard = distinct(*changed)
            if len(heard):
                self._give(one, NOTHING, heard, paths)
        runs = [one.asked.run for one in accounts]
        for batches in self._reading.exposures(paths, runs):
            for one, batch in zip(accounts, batches, strict=True):
                if len(batch):
                    self._give(one, batch, NOBODY, paths)

    def _give(self, accounts: Accounts, batch: Exposures, heard: IntArray, fresh: Sequence[Path]) -> None:
        again = partial(self._again, accounts, fresh)
        accounts.take(batch, heard, self._outcomes, again)

    def _again(
        self, accounts: Accounts, fresh: Sequence[Path], units: IntArray, from_us: int, until_us: int
    ) -> Exposures:
        """Read the requests of some units again, in what was taken in and what is being taken in."""
        paths = [*dict.fromkeys([*self._filed.taken(Kind.EXPOSURES), *fresh])]
        (found,) = self._reading.between(paths, [accounts.asked.run], from_us, until_us, units)
        return found

    def _open(self, asked: Sequence[Asked], exposures: Sequence[Path], outcomes: Sequence[Path]) -> None:
        """Read some runs from the beginning, all in one pass."""
        needed: dict[str, int] = {}
        for one in asked:
            for metric in one.metrics:
                needed[metric] = min(needed.get(metric, one.outcomes_from_us), one.outcomes_from_us)
        known = self._outcomes_from_us
        lacking = {metric: at for metric, at in needed.items() if known.get(metric, at + 1) > at}
        if lacking:
            found = self._reading.outcomes(outcomes, [*lacking], from_us=min(lacking.values()))
            for metric, from_us in lacking.items():
                told = found.get(metric, Told.joined([]))
                self._outcomes[metric] = Outcomes()
                self._outcomes[metric].add(told.chosen(told.ts_us >= from_us))
                self._outcomes_from_us[metric] = from_us
        opened = [Accounts(one) for one in asked]
        runs, from_us = [one.run for one in asked], min(one.since_us for one in asked)
        for batches in self._reading.exposures(exposures, runs, from_us=from_us):
            for accounts, batch in zip(opened, batches, strict=True):
                self._give(accounts, batch, NOBODY, exposures)
        self._accounts |= {(one.asked.run, one.asked.since_us): one for one in opened}

    def _reset(self) -> None:
        self._filed.forget()
        self._accounts, self._outcomes, self._outcomes_from_us = {}, {}, {}


def differences(kept: Accounts, anew: Accounts) -> tuple[str, ...]:
    """Return the names of what is not the same, bit for bit, in two accounts of one run."""
    rows, others = kept.rows(), anew.rows()
    found = [name for name in rows if not np.array_equal(rows[name], others[name])]
    if kept.two_armed != anew.two_armed:
        found.append("units in two arms")
    if not np.array_equal(kept.enrolled(), anew.enrolled()):
        found.append("enrolled units")
    for metric in kept.asked.everything:
        at_us = kept.closed_until(metric.name)
        one, other = kept.closed(metric.name, at_us), anew.closed(metric.name, at_us)
        parts = ("units", "nonzero", "totals", "products", "fraction_nano")
        if one.days != other.days or any(
            not np.array_equal(getattr(one, part), getattr(other, part)) for part in parts
        ):
            found.append(f"sums of {metric.name}")
    return tuple(found)
