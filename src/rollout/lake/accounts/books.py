"""The accounts of every run over one lake, kept up to date: disposable, made again from the files alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import duckdb

from rollout.domain.records import Run
from rollout.errors import Problem, Retry
from rollout.lake.accounts import firsts
from rollout.lake.accounts.accounts import Accounts, Again
from rollout.lake.accounts.asked import Asked
from rollout.lake.accounts.comparing import differences
from rollout.lake.accounts.exposures import NOTHING, Exposures
from rollout.lake.accounts.filed import Cursors, Filed, Overtaken
from rollout.lake.accounts.outcomes import Outcomes, Told
from rollout.lake.accounts.reading import FOR_EVER_US, Reading
from rollout.lake.accounts.sets import NOBODY, distinct
from rollout.lake.accounts.wanted import Key, Wanted
from rollout.lake.engine import connect
from rollout.lake.segments import Kind
from rollout.stats.arrays import IntArray

ATTEMPTS: Final = 3
ENGINE_MEMORY: Final = "512MB"
LARGEST: Final = 2**30
"""Bytes that all accounts may take, without more being said."""
Answer = TypeVar("Answer")
Question: TypeAlias = Callable[[Accounts, Mapping[str, Outcomes]], Answer]


@dataclass(frozen=True, slots=True)
class Compared:
    """One run's accounts beside those that were made anew."""

    run: Run
    units: int
    differs: tuple[str, ...] = ()
    """The names of what is not the same, bit for bit."""


def ignore(_rows: int) -> None:
    """Show nobody how much was read."""


class Books:
    """Answers questions about units from memory, after taking in what was filed since the last one."""

    def __init__(
        self,
        folder: Path,
        *,
        cursors: Cursors | None = None,
        threads: int = 2,
        memory: int = LARGEST,
        on_read: Callable[[int], object] = ignore,
    ) -> None:
        self._folder, self._memory, self._on_read = folder, memory, on_read
        self._engine = connect(threads=threads, memory_limit=ENGINE_MEMORY)
        self._reading = Reading(self._engine)
        self._filed = Filed(folder, cursors)
        self._turn, self._wanted = threading.Lock(), Wanted()
        self._accounts: dict[Key, Accounts] = {}
        self._outcomes: dict[str, Outcomes] = {}
        self._outcomes_from_us: dict[str, int] = {}
        self._nbytes = 0

    def ask(self, asked: Asked, question: Question[Answer], now_us: int) -> Answer:
        """Return a question's answer from a run's accounts; raises `Retry` while the lake cannot be read.

        Runs that are asked about for the first time at once are read together, in one pass over the lake.
        """
        self._wanted.add(asked, now_us)
        with self._turn:
            # Once more: whoever's turn it was may have forgotten it, by a clock that was set meanwhile.
            key = self._wanted.add(asked, now_us)
            self._refresh(now_us)
            return question(self._accounts[key], self._outcomes)

    def check(self, now_us: int, on_read: Callable[[int], object] = ignore) -> tuple[Compared, ...]:
        """Return what differs in accounts that are made anew: nothing, while all is well."""
        with self._turn:
            self._refresh(now_us)
            kept = self._accounts, self._outcomes, self._outcomes_from_us
            self._accounts, self._outcomes, self._outcomes_from_us = {}, {}, {}
            try:
                self._open([one.asked for one in kept[0].values()], on_read)
                anew = self._accounts
            finally:
                self._accounts, self._outcomes, self._outcomes_from_us = kept
            return tuple(
                Compared(one.asked.run, one.units, differences(one, anew[key]))
                for key, one in self._accounts.items()
            )

    def rebuild(self, now_us: int, on_read: Callable[[int], object] = ignore) -> tuple[Compared, ...]:
        """Make all accounts anew, from the files alone."""
        with self._turn:
            self._reset()
            self._refresh(now_us, on_read)
            return tuple(Compared(one.asked.run, one.units) for one in self._accounts.values())

    def sum_up(self, asked: Sequence[Asked], horizon_us: int, now_us: int) -> None:
        """Have runs need no request before a horizon any more: what comes later still is too late."""
        with self._turn:
            self._refresh(now_us)
            for one in asked:
                if one.since_us < horizon_us:
                    self._sum_up(one, horizon_us)

    @property
    def folder(self) -> Path:
        """The lake's folder."""
        return self._folder

    @property
    def nbytes(self) -> int:
        """How much memory all accounts took when something was taken in last."""
        return self._nbytes

    def _refresh(self, now_us: int, on_read: Callable[[int], object] | None = None) -> None:
        for attempt in range(ATTEMPTS):
            try:
                self._take_in(now_us, on_read or self._on_read)
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
        if self._nbytes > self._memory:
            what = f"the accounts of all units take more than {self._memory // 2**20} MiB"
            raise Retry(Problem("the lake", what, "raise the setting `evidence_memory_mib`, or end a run"))

    def _take_in(self, now_us: int, on_read: Callable[[int], object]) -> None:
        changes = self._wanted.changes(now_us)
        for key in changes.gone:
            self._accounts.pop(key, None)
        self._filed.needed_from_us = changes.from_us
        has_news = self._filed.has_news()
        if has_news:
            exposures, seen = self._filed.fresh(Kind.EXPOSURES)
            outcomes, told = self._filed.fresh(Kind.OUTCOMES)
            retold = self._hear(outcomes)
            self._follow([*self._accounts.values()], exposures, retold)
            self._filed.advance({**seen, **told})
        if changes.opened:
            self._open(changes.opened, on_read)
        if has_news or changes.gone:
            held: list[Accounts | Outcomes] = [*self._accounts.values(), *self._outcomes.values()]
            self._nbytes = sum(one.nbytes for one in held)

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
        # Units that came earlier than was known are read again: then the lake is listed, once for all runs.
        files = cache(lambda: [*dict.fromkeys([*self._filed.taken(Kind.EXPOSURES), *paths])])
        for one in accounts:
            changed = [retold[metric] for metric in one.asked.metrics if metric in retold]
            heard = distinct(*changed)
            if len(heard):
                one.take(NOTHING, heard, self._outcomes, self._again(one, files))
        runs = [one.asked.run for one in accounts]
        for batches in self._reading.exposures(paths, runs):
            for one, batch in zip(accounts, batches, strict=True):
                if len(batch):
                    one.take(batch, NOBODY, self._outcomes, self._again(one, files))

    def _again(
        self, accounts: Accounts, files: Callable[[], Sequence[Path]], before_us: int = FOR_EVER_US
    ) -> Again:
        """Return how a run's requests from before a moment are read again."""

        def again(units: IntArray, from_us: int, until_us: int) -> Exposures:
            run, until_us = accounts.asked.run, min(until_us, before_us)
            (found,) = self._reading.between(files(), [run], from_us, until_us, units)
            return found

        return again

    def _open(self, asked: Sequence[Asked], on_read: Callable[[int], object]) -> None:
        """Read some runs from the beginning, or from what was summed up of them, all in one pass."""
        exposures = self._filed.taken(Kind.EXPOSURES)
        self._load(asked, self._filed.taken(Kind.OUTCOMES))
        opened = [self._begun(one) for one in asked]
        runs, from_us = [one.run for one in asked], min((one.from_us for one in opened), default=0)
        for batches in self._reading.exposures(exposures, runs, from_us=from_us):
            for accounts, batch in zip(opened, batches, strict=True):
                accounts.take(batch, NOBODY, self._outcomes, self._again(accounts, lambda: exposures))
            on_read(sum(map(len, batches)))
        self._accounts |= {(one.asked.run, one.asked.since_us): one for one in opened}

    def _load(self, asked: Sequence[Asked], paths: Sequence[Path]) -> None:
        """Read the outcomes that some runs need, and that are not known as far back."""
        needed: dict[str, int] = {}
        for one in asked:
            for metric in one.metrics:
                needed[metric] = min(needed.get(metric, one.outcomes_from_us), one.outcomes_from_us)
        known = self._outcomes_from_us
        lacking = {metric: at for metric, at in needed.items() if known.get(metric, at + 1) > at}
        found = self._reading.outcomes(paths, [*lacking], from_us=min(lacking.values(), default=0))
        for metric, from_us in lacking.items():
            told = found.get(metric, Told.joined([]))
            self._outcomes[metric] = Outcomes()
            self._outcomes[metric].add(told.chosen(told.ts_us >= from_us))
            self._outcomes_from_us[metric] = from_us

    def _begun(self, asked: Asked) -> Accounts:
        """Return a run's accounts with what was summed up before its oldest requests expired."""
        before = firsts.newest(self._engine, self._folder, asked)
        if before is None:
            return Accounts(asked)
        accounts = Accounts(asked, from_us=before.horizon_us)
        accounts.put(before.rows, self._outcomes)
        return accounts

    def _sum_up(self, asked: Asked, horizon_us: int) -> None:
        """Write what a run's units did before a horizon, unless that is done."""
        bare = replace(asked, told=())
        before = firsts.newest(self._engine, self._folder, bare)
        if before is not None and before.horizon_us >= horizon_us:
            return
        accounts, paths = self._begun(bare), self._filed.taken(Kind.EXPOSURES)
        spans = self._reading.exposures(paths, [bare.run], from_us=accounts.from_us, until_us=horizon_us)
        again = self._again(accounts, lambda: paths, horizon_us)
        for (batch,) in spans:
            accounts.take(batch, NOBODY, {}, again)
        firsts.write(self._engine, self._folder, accounts, horizon_us)
        if (kept := self._accounts.get((asked.run, asked.since_us))) is not None:
            kept.from_us = max(kept.from_us, horizon_us)

    def _reset(self) -> None:
        self._filed.forget()
        self._wanted.again()
        self._accounts, self._outcomes, self._outcomes_from_us = {}, {}, {}
