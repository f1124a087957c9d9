"""Harm since when: many starts of one test, so that quiet weeks are no credit against late harm."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

EVERY_S: Final = 10
"""A new start every ten seconds, for tests whose state is a few counters a start (first events)."""
WINDOWS_EVERY_S: Final = 600
"""A new start every ten minutes, for tests that keep sums per unit for each start."""
LIFE_S: Final = 3600
"""A start lives for an hour; the first one never ends."""
FIRST_SHARE: Final = 0.5
"""The share of α that start 0 owns; the others share the rest."""
_SERIES: Final = 2.109742801236892
"""Σ 1/(k ln² k) over k ≥ 2 (OEIS A115563)."""
NEVER: Final = int(np.iinfo(np.int64).min)
"""The time of a unit's previous event when it had none."""


@dataclass(frozen=True, slots=True)
class Starts:
    """The starts alive at one moment: their numbers over the whole revision, and when each began."""

    index: IntArray
    begin: IntArray


def weight_of(index: ArrayLike) -> FloatArray:
    """Return the share of α that start j owns.

    Formula: ½ for j = 0, else ½/(C (j+1) ln²(j+1)), C = Σ 1/(k ln² k) over k ≥ 2; they sum to 1.
    Source: union bound; the slowest common convergent series (docs/decisions/0004-many-starts.md).
    Assumes: j counts over the whole revision and never restarts. Exact.
    """
    return np.exp(-penalty_of(index))


def penalty_of(index: ArrayLike) -> FloatArray:
    """Return ln(1/weight), what start j's log e must reach beyond the bar.

    Formula: ln 2, or ln 2 + ln C + ln(j+1) + 2 ln ln(j+1). Source: as `weight_of`. Assumes: as `weight_of`.
    Exact.
    """
    j = arrays.counts("index", index)
    later = np.log(np.where(j > 0, j + 1.0, 2.0))
    others = np.log(_SERIES / (1.0 - FIRST_SHARE)) + later + 2.0 * np.log(later)
    return np.asarray(np.where(j > 0, others, -np.log(FIRST_SHARE)))


def strongest(log_e: ArrayLike, index: ArrayLike) -> FloatArray:
    """Return the log e of "harm since some start", over the last axis; compare it with the test's own bar.

    Formula: max_j [log e_j − ln(1/weight_j)]. Source: union bound, valid whatever the dependence between
    starts. Assumes: each log e_j uses only what happened since start j. Exact.
    """
    values = np.asarray(log_e, dtype=np.float64)
    if values.shape[-1] == 0:
        return np.zeros(values.shape[:-1])
    return np.asarray((values - penalty_of(index)).max(axis=-1))


def live_starts(
    now: int, begin: int, *, split_changes: tuple[int, ...] = (), every: int = EVERY_S, life: int = LIFE_S
) -> Starts:
    """Return the starts alive at `now`; all times are integers of one unit, the first start at `begin`.

    Formula: start 0 at `begin`, for ever; from each split change on, a start at once and then every `every`,
    alive for `life` or until the next change. Source: this project (simulated in docs/calibration.md).
    Assumes: `split_changes` ascending, none before `begin`. Exact.
    """
    segments = (begin, *(change for change in split_changes if change <= now))
    if any(later <= earlier for earlier, later in itertools.pairwise(segments)):
        raise ValueError("split_changes: must ascend and come after begin")
    if every <= 0 or life <= 0:
        raise ValueError(f"every, life: must be greater than zero (got {every}, {life})")
    # The first segment's own first start is start 0, which never ends.
    used = sum((end - start - 1) // every + 1 for start, end in itertools.pairwise(segments))
    current = segments[-1]
    newest = (now - current) // every if now >= current else -1
    oldest = max(0, (now - life - current) // every + 1)
    numbers = np.arange(oldest, newest + 1, dtype=np.int64)
    alive = Starts(used + numbers, current + numbers * every)
    keep = alive.index > 0
    return Starts(np.concatenate([[0], alive.index[keep]]), np.concatenate([[begin], alive.begin[keep]]))


def first_since(time: ArrayLike, previous: ArrayLike, begin: ArrayLike) -> BoolArray:
    """Return [events, starts]: whether an event is its unit's first since each start.

    Formula: previous < begin_j ≤ time; `previous` is the unit's event before, or `NEVER`. Source: this
    project. Assumes: one remembered time per unit. Exact.
    """
    at, before = (np.asarray(part, dtype=np.int64)[:, np.newaxis] for part in (time, previous))
    starts = np.asarray(begin, dtype=np.int64)
    return np.asarray((before < starts) & (starts <= at))


def first_event_counts(
    time: ArrayLike,
    previous: ArrayLike,
    *,
    is_candidate: ArrayLike,
    split: ArrayLike,
    begin: ArrayLike,
    splits: int,
) -> tuple[FloatArray, FloatArray]:
    """Return (candidate, comparison) counts [starts, splits] of units with an event since each start.

    Formula: Σ over events of `first_since`, by arm and by the split at the event. Source: this project.
    Assumes: `split` as the unit's own node had acknowledged it. Exact.
    """
    first = first_since(time, previous, begin).astype(np.float64)
    own = np.asarray(is_candidate, dtype=np.bool_)
    group = np.asarray(split, dtype=np.int64)
    member = (group[:, np.newaxis] == np.arange(splits)).astype(np.float64)
    return first[own].T @ member[own], first[~own].T @ member[~own]
