"""Polls of a metrics server, drawn: a breach by chance, and no answer while it is silent."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from rollout.domain.evidence import Poll, PollEvidence
from rollout.domain.metric import Metric
from rollout.simulation.levels import Span
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

_KEPT_TIMES: Final = 4
"""So many times as many polls are kept as decide: gaps in between neither count nor reset."""
_MOST: Final = 200
"""Polls that are drawn between two looks, at most."""


class PollTrack:
    """The last polls of one threshold, [replicate, arm, poll]; a metric's level is the chance of a breach."""

    def __init__(self, metric: Metric, shape: tuple[int, int]) -> None:
        self._interval_s = metric.interval_s or 60.0
        self._limit = metric.failure_limit or 1
        self._polls = np.zeros((*shape, 0), dtype=np.int64)
        self._passed_s = 0.0

    def draw(self, rng: Generator, chance: FloatArray, span: Span, is_blind: BoolArray) -> None:
        """Draw a span's polls; enough breaches in a row are seen at its end, even when they are over."""
        self._passed_s += span.lasts_s
        number = min(int(self._passed_s / self._interval_s), _MOST)
        self._passed_s %= self._interval_s
        if not number:
            return
        breaches = rng.random((*chance.shape, number)) < chance[..., np.newaxis]
        found = np.where(breaches, int(Poll.BREACH), int(Poll.GOOD))
        found = np.where(is_blind[:, np.newaxis, np.newaxis], int(Poll.GAP), found)
        joined = np.concatenate([self._polls, found], axis=-1)
        joined[self._was_harmed(joined), -self._limit :] = int(Poll.BREACH)
        self._polls = joined[..., -_KEPT_TIMES * self._limit :]

    def _was_harmed(self, polls: IntArray) -> BoolArray:
        """Return where so many breaches stood in a row."""
        windows = polls.shape[-1] - self._limit + 1
        if windows < 1:
            return np.zeros(polls.shape[:-1], dtype=np.bool_)
        runs = np.ones((*polls.shape[:-1], windows), dtype=np.bool_)
        for offset in range(self._limit):
            runs &= polls[..., offset : offset + windows] == Poll.BREACH
        return np.asarray(runs.any(axis=-1))

    def evidence(self, arm: int) -> PollEvidence | None:
        """Return a candidate's last polls, or nothing before the first."""
        own = self._polls[:, arm]
        return PollEvidence(own) if own.shape[-1] else None

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._polls = self._polls[kept]
