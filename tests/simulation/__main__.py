"""`make simulation`: lives thousands of seeds, and tells the story of each that breaks a promise."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial

import structlog

from tests.simulation import summary
from tests.simulation.faults import OFTENEST
from tests.simulation.life import Outcome, live
from tests.simulation.shrinking import shrunk

AT_ONCE = 20
SHOWN = 5
"""How many broken worlds are told; all are counted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when every promise holds in every world, else 1."""
    options = _options(arguments)
    _be_quiet()
    found, began_s, seed = summary.Summary(), time.monotonic(), options.first
    try:
        with _outcomes(options) as outcomes:
            for outcome in outcomes:
                found.add(outcome)
                seed = outcome.seed + 1
                _show(found, options.seeds, time.monotonic() - began_s)
    except KeyboardInterrupt:
        print(f"\nended early; to go on: --first {seed} --seeds {options.first + options.seeds - seed}")
    print(file=sys.stderr)
    lines = found.lines(options.first, time.monotonic() - began_s)
    print("\n".join(lines))
    for outcome in found.broken[:SHOWN]:
        best, without = shrunk(outcome) if options.shrink else (outcome, tuple(options.without))
        print("\n" + "\n".join(summary.told(best, without)))
    if options.write:
        summary.write(lines)
    return int(bool(found.broken))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=1, help="the first one's seed")
    parser.add_argument("--processes", type=int, default=1, help="worlds lived at the same time")
    parser.add_argument(
        "--without", action="append", default=[], choices=[*OFTENEST], help="never this fault"
    )
    parser.add_argument(
        "--shrink", action="store_true", help="leave out faults that a broken world does not need"
    )
    parser.add_argument("--write", action="store_true", help=f"put the figures into docs/{summary.PAGE.name}")
    return parser.parse_args(arguments)


@contextmanager
def _outcomes(options: argparse.Namespace) -> Iterator[Iterator[Outcome]]:
    seeds = range(options.first, options.first + options.seeds)
    one = partial(live, without=tuple(options.without))
    if options.processes == 1:
        yield map(one, seeds)
        return
    with ProcessPoolExecutor(options.processes, initializer=_be_quiet) as pool:
        yield pool.map(one, seeds, chunksize=AT_ONCE)


def _be_quiet() -> None:
    """Let the controller's logs go nowhere: the story of a world is told from outside."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def _show(found: summary.Summary, seeds: int, elapsed_s: float) -> None:
    is_terminal = sys.stderr.isatty()
    if found.lives % (1 if is_terminal else 500) and found.lives != seeds:
        return
    width = 30
    done = round(width * found.lives / seeds)
    rate = found.lives / max(elapsed_s, 1e-9)
    bar = "#" * done + "." * (width - done)
    text = f"[{bar}] {found.lives:,}/{seeds:,}  {rate:,.1f}/s  {len(found.broken)} broken"
    print(text, end="\r" if is_terminal else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
