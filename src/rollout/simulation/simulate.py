"""A simulation from its seed: replicates in blocks, each with its own seed, shared among processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from rollout.simulation.ending import Ending, Moment
from rollout.simulation.lives import Course, Lives

BLOCK: Final = 500
"""Replicates that are drawn together; the bytes of a result depend on it, and not on the processes."""
_POLL_S: Final = 0.2

OnProgress: TypeAlias = Callable[[float], None]
"""Told which share of the looks is done."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Every life's end, in the order of the replicates, and the looks at the first of them."""

    course: Course
    seed: int
    endings: tuple[Ending, ...]
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Some replicates that one process draws."""

    course: Course
    number: int
    seed: np.random.SeedSequence
    replicates: int


_Lived: TypeAlias = tuple[list[Ending], list[Moment]]
_done: Any = None
"""In a worker: the share of each block's looks that is done, read by the parent."""


def simulate(
    course: Course, *, replicates: int, seed: int, processes: int, on_progress: OnProgress
) -> Simulated:
    """Live the lives of a policy; the same seed gives the same result, however many processes there are."""
    sizes = [min(BLOCK, replicates - begun) for begun in range(0, replicates, BLOCK)]
    seeds = np.random.SeedSequence(seed).spawn(len(sizes))
    blocks = [
        _Block(course, number, own, size) for number, (own, size) in enumerate(zip(seeds, sizes, strict=True))
    ]
    if min(processes, len(blocks)) == 1:
        lived = _in_turn(blocks, on_progress)
    else:
        lived = _side_by_side(blocks, processes, on_progress)
    endings = tuple(ending for found, _ in lived for ending in found)
    return Simulated(course, seed, endings, tuple(lived[0][1]))


def _live(block: _Block, on_progress: OnProgress) -> _Lived:
    lives = Lives(block.course, np.random.default_rng(block.seed), block.replicates)
    endings = lives.run(lambda look, looks: on_progress(look / looks))
    return endings, lives.moments


def _in_turn(blocks: list[_Block], on_progress: OnProgress) -> list[_Lived]:
    lived = []
    for block in blocks:
        begun = block.number

        def advance(share: float, begun: int = begun) -> None:
            on_progress((begun + share) / len(blocks))

        lived.append(_live(block, advance))
    on_progress(1.0)
    return lived


def _side_by_side(blocks: list[_Block], processes: int, on_progress: OnProgress) -> list[_Lived]:
    # A process that was forked beside a progress bar's thread could hang.
    context = multiprocessing.get_context("spawn")
    # Behind the shares of the blocks stands whether all should stop.
    done = context.Array("d", len(blocks) + 1)
    workers = min(processes, len(blocks))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(done,)) as pool:
        futures: list[Future[_Lived]] = [pool.submit(_work, block) for block in blocks]
        open_ones = set(futures)
        try:
            while open_ones:
                _, open_ones = wait(open_ones, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                on_progress(sum(done[:-1]) / len(blocks))
        except BaseException:
            done[-1] = 1.0
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _begin(done: Any) -> None:  # noqa: ANN401 (an array that processes share has no public type)
    global _done  # noqa: PLW0603 (the one thing a worker is given before its work)
    _done = done
    # Who interrupts means the whole simulation, and the parent says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()


def _leave_with_the_parent() -> None:
    """End this worker when its parent is gone: one that was killed could not say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(block: _Block) -> _Lived:
    def advance(share: float) -> None:
        if _done[-1]:
            raise SystemExit(1)
        _done[block.number] = share

    lived = _live(block, advance)
    advance(1.0)
    return lived
