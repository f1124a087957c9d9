"""Runs batches of replicates in worker processes; what comes back does not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tests.calibration import keeping
from tests.calibration.study import Study, Table, run_study
from tests.calibration.trap import Claim, Finding, Trap, World, judged, run_batch

# One thread per worker: the workers are the parallelism.
_SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Progress = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """All that a calibration run found."""

    findings: list[Finding] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every claim is as required: wrong ways fail, ours hold."""
        return all(finding.passed for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Batch:
    trap: Trap
    world: World
    number: int


_Result: TypeAlias = tuple[Claim, ...] | Table
_Doing: TypeAlias = Callable[[_Batch | Study], _Result]


def size(traps: Iterable[Trap], studies: Iterable[Study], *, short: bool) -> int:
    """Return how many steps a run takes: one per batch, one per study."""
    return sum(1 for _ in _batches(traps, short=short)) + sum(1 for _ in studies)


def run(  # noqa: PLR0913 (each is one thing that a caller chooses)
    traps: tuple[Trap, ...],
    studies: tuple[Study, ...],
    *,
    short: bool,
    jobs: int,
    step: Progress,
    kept: Path | None = None,
) -> Run:
    """Return all findings and tables, in the order of traps and studies; `step` hears of every step.

    With a folder to keep batches in, those that it holds already are not run again.
    """
    batches = list(_batches(traps, short=short))
    work: list[_Batch | Study] = [*studies, *batches]
    do = partial(_do, short=short, kept=kept)
    results = _in_turn(work, do, step=step) if jobs == 1 else _in_parallel(work, do, jobs, step=step)
    tables, claims = results[: len(studies)], results[len(studies) :]
    found = Run(tables=[table for table in tables if isinstance(table, Table)])
    for trap in traps:
        for world in trap.worlds:
            own = [
                part
                for batch, part in zip(batches, claims, strict=True)
                if batch.world is world and isinstance(part, tuple)
            ]
            if own or not short:
                found.findings.extend(judged(trap, world, own, short=short))
    return found


def _batches(traps: Iterable[Trap], *, short: bool) -> Iterator[_Batch]:
    for trap in traps:
        for world in trap.worlds:
            for number in range((world.short if short else world.replicates) // world.batch):
                yield _Batch(trap, world, number)


def _in_turn(work: list[_Batch | Study], do: _Doing, *, step: Progress) -> list[_Result]:
    results: list[_Result] = []
    for item in work:
        results.append(do(item))
        step(_title(item))
    return results


def _in_parallel(work: list[_Batch | Study], do: _Doing, jobs: int, *, step: Progress) -> list[_Result]:
    # Set before the workers start, because they read it when they import numpy.
    os.environ.update(_SINGLE_THREADED)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context) as pool:
        waiting: dict[Future[_Result], _Batch | Study] = {pool.submit(do, item): item for item in work}
        for done in as_completed(waiting):
            done.result()
            step(_title(waiting[done]))
    return [future.result() for future in waiting]


def _do(item: _Batch | Study, *, short: bool, kept: Path | None) -> _Result:
    if isinstance(item, Study):
        return run_study(item, short=short)
    file = None if kept is None else keeping.file_of(kept, item.trap, item.world, item.number)
    claims = None if file is None else keeping.load(file)
    if claims is None:
        claims = run_batch(item.trap, item.world, item.number)
        if file is not None:
            keeping.save(file, claims)
    return claims


def _title(item: _Batch | Study) -> str:
    return item.key if isinstance(item, Study) else f"trap {item.trap.number}: {item.trap.name}"
