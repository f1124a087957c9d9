"""What a trap is: worlds, the claims made on their draws, and the bar that each claim is held to."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Numbers = FloatArray | IntArray

SEED: Final = 2026
"""The entropy of every world's sequence; a failure is examined with more batches, never another seed."""
BATCH: Final = 100
SHORT: Final = 200
FULL: Final = 2000
STANDARD_ERRORS: Final = 3.0
USED_BAR: Final = 400.0
"""The bar that decisions use: ours is held to P ≤ 1/400 there."""


class Kind(Enum):
    """What is required of a claim."""

    WRONG = "wrong way"
    OURS = "ours"
    OURS_AT_400 = "ours at 400"
    SHOWN = "shown"


class Measure(Enum):
    """How the draws of a claim become one number."""

    RATE = "rate"
    WEIGHTED = "rate by importance sampling"
    DELAY_RATIO = "ratio of median delays"


@dataclass(frozen=True, slots=True)
class Claim:
    """One method's result on a batch of replicates: `draws` has one row per replicate.

    RATE: whether the method was fooled; `level` is the promised alpha. WEIGHTED: that, times a likelihood
    ratio. DELAY_RATIO: two columns, the fresh delay and the late one; `level` is the largest ratio allowed
    (for a wrong way, the ratio it must exceed). `strong`: the wrong way also has to fail in a short run.
    """

    name: str
    kind: Kind
    draws: FloatArray
    level: float = 0.05
    measure: Measure = Measure.RATE
    strong: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """One null world and the methods tried on it; `simulate` makes every claim on the same draws."""

    key: str
    sentence: str
    simulate: Callable[[np.random.Generator, int], Sequence[Claim]]
    replicates: int = FULL
    short: int = SHORT
    batch: int = BATCH

    def __post_init__(self) -> None:
        """Refuse sizes that are not whole batches; a `short` of 0 leaves the world to full runs."""
        if self.replicates <= 0 or self.replicates % self.batch or self.short % self.batch:
            raise ValueError(f"{self.key}: replicates must be whole batches of {self.batch}")


@dataclass(frozen=True, slots=True)
class Trap:
    """A mistake that is easy to make, with the worlds that show it."""

    number: int
    name: str
    worlds: tuple[World, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a claim came to: its value and error, its bar, and whether it is as required."""

    trap: int
    trap_name: str
    world: str
    sentence: str
    claim: str
    kind: Kind
    measure: Measure
    value: float
    standard_error: float
    level: float
    bar: float
    replicates: int
    required: str
    passed: bool


def wrong(name: str, fooled: ArrayLike, *, alpha: float = 0.05, strong: bool = False) -> Claim:
    """Return the claim of a wrong way: its rate must exceed the bar."""
    return Claim(name, Kind.WRONG, np.asarray(fooled, dtype=np.float64), alpha, strong=strong)


def ours(name: str, fooled: ArrayLike, *, alpha: float = 0.05) -> Claim:
    """Return the claim of our method: its rate must stay within the bar."""
    return Claim(name, Kind.OURS, np.asarray(fooled, dtype=np.float64), alpha)


def ours_at_400(name: str, fooled: ArrayLike) -> Claim:
    """Return the claim of our method at the bar it is used with: P ≤ 1/400."""
    return Claim(name, Kind.OURS_AT_400, np.asarray(fooled, dtype=np.float64), 1.0 / USED_BAR)


def promised(name: str, log_e: ArrayLike) -> list[Claim]:
    """Return both claims of one of our tests: alpha = 5 % at the bar of 20, and 1/400 at the bar in use."""
    return [ours(name, ever(log_e)), ours_at_400(name, ever(log_e, USED_BAR))]


def ours_weighted(name: str, weights: ArrayLike) -> Claim:
    """Return the claim at 400 from draws under an alternative: a hit counts its likelihood ratio, else 0."""
    draws = np.asarray(weights, dtype=np.float64)
    return Claim(name, Kind.OURS_AT_400, draws, 1.0 / USED_BAR, Measure.WEIGHTED)


def shown(name: str, draws: ArrayLike, *, alpha: float = 0.05) -> Claim:
    """Return a rate that is printed beside the others and of which nothing is required."""
    return Claim(name, Kind.SHOWN, np.asarray(draws, dtype=np.float64), alpha)


def delays(  # noqa: PLR0913 — as many as the claim has parts
    name: str, kind: Kind, fresh: ArrayLike, late: ArrayLike, *, limit: float, strong: bool = False
) -> Claim:
    """Return the claim that a late delay is at most (a wrong way: more than) `limit` times the fresh one."""
    draws = np.stack([np.asarray(fresh, dtype=np.float64), np.asarray(late, dtype=np.float64)], axis=-1)
    return Claim(name, kind, draws, limit, Measure.DELAY_RATIO, strong)


def ever(log_e: ArrayLike, bar: float = 20.0) -> BoolArray:
    """Return whether log e reached ln(bar) at any look (the last axis): a reader who looks always sees it."""
    return np.asarray(np.max(np.asarray(log_e), axis=-1) >= math.log(bar))


def standard_error(level: float, replicates: int) -> float:
    """Return the Monte-Carlo standard error of a rate that is exactly `level`."""
    return math.sqrt(level * (1.0 - level) / replicates)


def generator(trap: Trap, world: World, batch: int) -> np.random.Generator:
    """Return the generator of one batch; every (trap, world) owns one sequence, whatever else there is."""
    key = (trap.number, zlib.crc32(world.key.encode()), batch)
    return np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=key))


def run_batch(trap: Trap, world: World, batch: int) -> tuple[Claim, ...]:
    """Return the claims of one batch of replicates; a warning or a number that is not one is an error."""
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        claims = tuple(world.simulate(generator(trap, world, batch), world.batch))
    for claim in claims:
        if not np.all(np.isfinite(claim.draws)):
            raise ValueError(f"trap {trap.number}, {world.key}, {claim.name}: not a finite number")
    return claims


def judged(trap: Trap, world: World, batches: Sequence[Sequence[Claim]], *, short: bool) -> list[Finding]:
    """Return one finding per claim, over all batches of a world; refuse to judge nothing."""
    if not batches or not batches[0]:
        raise ValueError(f"trap {trap.number}, {world.key}: no claims to judge")
    return [_finding(trap, world, parts, short=short) for parts in zip(*batches, strict=True)]


def _finding(trap: Trap, world: World, parts: Sequence[Claim], *, short: bool) -> Finding:
    first = parts[0]
    draws = np.concatenate([part.draws for part in parts])
    value, error = _summary(first.measure, draws)
    bar = _bar(first, len(draws), error)
    must_fail = first.kind is Kind.WRONG and (first.strong or not short)
    must_hold = first.kind in {Kind.OURS, Kind.OURS_AT_400}
    required = "above" if must_fail else "within" if must_hold else "none"
    passed = {"above": value > bar, "within": value <= bar, "none": True}[required]
    about = (trap.number, trap.name, world.key, world.sentence, first.name, first.kind, first.measure)
    return Finding(*about, value, error, first.level, bar, len(draws), required, passed)


def _summary(measure: Measure, draws: FloatArray) -> tuple[float, float]:
    match measure:
        case Measure.RATE:
            rate = float(draws.mean())
            return rate, standard_error(rate, len(draws))
        case Measure.WEIGHTED:
            return float(draws.mean()), float(draws.std() / math.sqrt(len(draws)))
        case Measure.DELAY_RATIO:
            fresh, late = np.median(draws, axis=0)
            return float(late / fresh), _ratio_error(draws)


def _ratio_error(draws: FloatArray) -> float:
    """Return the error of a ratio of medians from ten parts of the replicates (0 with fewer than ten)."""
    parts = np.array_split(draws, 10)
    if len(draws) < len(parts):
        return 0.0
    ratios = [float(np.median(part[:, 1]) / np.median(part[:, 0])) for part in parts]
    return float(np.std(ratios, ddof=1) / math.sqrt(len(ratios)))


def _bar(claim: Claim, replicates: int, error: float) -> float:
    match claim.measure:
        case Measure.RATE:
            return claim.level + STANDARD_ERRORS * standard_error(claim.level, replicates)
        case Measure.WEIGHTED:
            return claim.level + STANDARD_ERRORS * error
        case Measure.DELAY_RATIO:
            return claim.level
