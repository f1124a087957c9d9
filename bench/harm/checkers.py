"""Threshold checkers over the same answers: the error rate of a window, every so often, so many failures.

They are as Flagger and Argo Rollouts describe theirs (docs/performance.md names the pages), and they act at
once: no time is added for the query, for Kubernetes, or for the proxies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from rollout.stats.arrays import BoolArray, FloatArray, IntArray

SCRAPED_EVERY_S: Final = 5.0
"""How often Prometheus reads the counters in Flagger's own chart; its default is a minute."""
PHASES: Final = 16
"""A run meets a checker at some moment between two scrapes and two checks: so many are tried."""
HORIZON_S: Final = 1_800.0
GOLDEN_RATIO: Final = 0.618034
_SEED: Final = 23


@dataclass(frozen=True, slots=True)
class Checker:
    """Looks every `interval_s`, and gives up after so many looks at too small a share of successes."""

    name: str
    interval_s: float
    least: float
    failures: int
    window_s: float | None = None
    """What the rate is of; nothing: of the last two scrapes (`irate`)."""


CHECKERS: Final = (
    Checker("Flagger, as fast as it gets: every 10 s, once", 10.0, 0.99, 1, 60.0),
    Checker("the same at 95 %, which 1 % of errors do not break", 10.0, 0.95, 1, 60.0),
    Checker("Flagger, its own example: every minute, 10 times", 60.0, 0.99, 10, 60.0),
    Checker("Argo Rollouts, its fastest example: every 5 s, twice", 5.0, 0.95, 2),
    Checker("Argo Rollouts, its own example: every 5 min, 3 times", 300.0, 0.95, 3),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """When a version's answers came, in order, and which of them failed; times in seconds."""

    at_s: FloatArray
    failed: BoolArray

    @classmethod
    def of(
        cls,
        recorded: tuple[FloatArray, BoolArray],
        *,
        per_second: float,
        bad_share: float,
    ) -> Self:
        """Return what was recorded, and what would have followed it, drawn at that rate and share."""
        at_s, failed = recorded
        chance = np.random.default_rng([_SEED, len(at_s)])
        gaps = chance.exponential(1.0 / per_second, round(1.2 * per_second * HORIZON_S))
        more_s = at_s[-1] + np.cumsum(gaps)
        more = chance.random(len(more_s)) < bad_share
        return cls(np.concatenate([at_s, more_s]), np.concatenate([failed, more]))


@dataclass(frozen=True, slots=True)
class Scraped:
    """What Prometheus knows: the counters of all answers and of the failed ones at each scrape."""

    at_s: FloatArray
    answers: IntArray
    failed: IntArray


@dataclass(frozen=True, slots=True)
class Found:
    """How long after the first bad answer a checker gives up, and how many bad ones there were until then."""

    after_s: float
    bad: int


def found_by(stream: Stream, first_bad_s: float) -> Mapping[str, Sequence[Found]]:
    """Return when each checker would give up, for each phase; failures count from then on."""
    return {
        checker.name: [_found(checker, stream, first_bad_s, phase) for phase in range(PHASES)]
        for checker in CHECKERS
    }


def _found(checker: Checker, stream: Stream, first_bad_s: float, phase: int) -> Found:
    scraped = _scraped(stream, first_s=stream.at_s[0] + SCRAPED_EVERY_S * (phase + 0.5) / PHASES)
    first_s = first_bad_s + checker.interval_s * (phase * GOLDEN_RATIO % 1.0)
    checks_s = np.arange(first_s, first_bad_s + HORIZON_S, checker.interval_s)
    failing = np.flatnonzero(fails(checker, scraped, checks_s))
    if len(failing) < checker.failures:
        raise ValueError(f"{checker.name}: has not given up within {HORIZON_S:g} s")
    ends_s = float(checks_s[failing[checker.failures - 1]])
    bad = stream.failed & (stream.at_s >= first_bad_s) & (stream.at_s <= ends_s)
    return Found(ends_s - first_bad_s, int(np.count_nonzero(bad)))


def _scraped(stream: Stream, *, first_s: float) -> Scraped:
    at_s = np.arange(first_s, stream.at_s[-1], SCRAPED_EVERY_S)
    answers = np.searchsorted(stream.at_s, at_s, side="right")
    failed = np.concatenate([[0], np.cumsum(stream.failed)])[answers]
    return Scraped(at_s, answers.astype(np.int64), failed.astype(np.int64))


def fails(checker: Checker, scraped: Scraped, checks_s: FloatArray) -> BoolArray:
    """Return which checks find too few successes; one without any answers to judge by finds nothing."""
    newest = np.searchsorted(scraped.at_s, checks_s, side="right") - 1
    if checker.window_s is None:
        oldest = newest - 1
    else:
        oldest = np.searchsorted(scraped.at_s, checks_s - checker.window_s, side="left")
    known = (oldest >= 0) & (newest > oldest)
    oldest, newest = np.where(known, oldest, 0), np.where(known, newest, 0)
    answers = scraped.answers[newest] - scraped.answers[oldest]
    bad = scraped.failed[newest] - scraped.failed[oldest]
    return np.asarray(known & (answers > 0) & (answers - bad < checker.least * answers))


def false_alarms(checker: Checker, *, per_second: float, bad_share: float, lasts_s: float) -> int:
    """Return how often a checker gives up in drawn traffic in which all is well, beginning anew each time."""
    chance = np.random.default_rng(_SEED)
    at_s = np.arange(SCRAPED_EVERY_S, lasts_s, SCRAPED_EVERY_S)
    answers = chance.poisson(per_second * SCRAPED_EVERY_S, len(at_s))
    scraped = Scraped(at_s, np.cumsum(answers), np.cumsum(chance.binomial(answers, bad_share)))
    checks_s = np.arange(checker.interval_s, lasts_s, checker.interval_s)
    return int(np.count_nonzero(fails(checker, scraped, checks_s))) // checker.failures
