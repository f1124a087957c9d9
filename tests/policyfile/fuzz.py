"""Lint very many mutated policies: `make fuzz`; with `ARGS="--count 1000000 --first 7"` more, or others."""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Final

from tests.policyfile.mutations import check, example

COUNT: Final = 100_000
BATCH: Final = 500
LONGEST_S: Final = 10.0
"""A policy on which a processor works for longer hangs."""


def batch(
    seeds: Iterable[int], checked: Callable[[str], bool] = check, longest_s: float = LONGEST_S
) -> tuple[int, float]:
    """Check the policies of some seeds; return how many of them may run, and the longest time of one."""
    running, longest = 0, 0.0
    signal.signal(signal.SIGPROF, _hangs)
    for seed in seeds:
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, longest_s)
        try:
            running += checked(example(seed))
        except BaseException as error:
            error.add_note(f"the policy of seed {seed}")
            raise
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        longest = max(longest, time.process_time() - began)
    return running, longest


def _hangs(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError("it hangs")


def _show(done: int, count: int) -> None:
    """Keep one line on a terminal up to date; elsewhere, say each tenth."""
    if sys.stderr.isatty():
        end = "\r" if done < count else "\n"
        sys.stderr.write(f"{done:,} of {count:,} mutated policies{end}")
        sys.stderr.flush()
    elif done * 10 // count > (done - BATCH) * 10 // count:
        sys.stderr.write(f"{done:,} of {count:,} mutated policies\n")


def main() -> None:
    """Check all, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.count)
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    found: list[tuple[int, float]] = []
    with multiprocessing.Pool() as pool:
        for one in pool.imap_unordered(batch, batches):
            found.append(one)
            _show(min(len(found) * BATCH, len(seeds)), len(seeds))
    running = sum(number for number, _ in found)
    longest = max((slowest for _, slowest in found), default=0.0)
    refused = len(seeds) - running
    sys.stdout.write(
        f"{len(seeds):,} mutated policies: {running:,} may run, {refused:,} are refused in clear sentences, "
        f"none crashes; the slowest took {longest * 1000:.0f} ms\n"
    )


if __name__ == "__main__":
    main()
