"""Why nothing may be proven by what is recorded: gaps, losses, unstable identities, reports that fell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from rollout.domain.metric import Metric, Source
from rollout.domain.policy import Policy
from rollout.domain.quality import EXPOSURES, OUTCOMES, Gap, Loss, Quality, Told
from rollout.domain.question import Question
from rollout.stats import bars, reporting, slo

MOST: Final = 0.01
"""The share of rows, or of units, that may be unusable before nothing is proven by the rest."""
ALPHA: Final = reporting.ALPHA
_SHOWN: Final = 8


def doubt(question: Question, quality: Quality) -> str | None:
    """Return the first reason why nothing may be proven of a question, or None while there is none."""
    return next(_doubts(question, quality), None)


def held_by(policy: Policy, quality: Quality, now_us: int, *, stale_after_us: int) -> str | None:
    """Return which source is so far behind that the evidence is not fresh, where that is known."""
    if not quality.feeds:
        return None
    needed = feeds_needed(policy)
    silent = [kind for kind in needed if kind not in {one.kind for one in quality.feeds}]
    if silent:
        return f"no node has handed in {silent[0]} yet"
    slowest = quality.slowest(needed)
    if slowest is None or slowest.watermark_us is None:
        return (
            None if slowest is None else f"{slowest.name} has not said how far its {slowest.kind} are filed"
        )
    behind_us = now_us - slowest.watermark_us
    if behind_us < stale_after_us:
        return None
    return f"the {slowest.kind} of {slowest.name} are filed up to {behind_us / 1e6:,.0f} s ago"


def feeds_needed(policy: Policy) -> tuple[str, ...]:
    """Return the kinds of records that a policy's metrics rest on."""
    return tuple(sorted({kind for metric in (None, *policy.metrics) for kind in _kinds(metric)}))


def _doubts(question: Question, quality: Quality) -> Iterator[str]:
    kinds = _kinds(question.metric)
    yield from (_lost(one) for one in quality.losses if one.kind in kinds)
    yield from (_gap(one) for one in quality.gaps if one.kind in kinds)
    if kinds and quality.units and _is_too_much(quality.two_armed or 0, quality.units):
        share = percent(quality.two_armed or 0, quality.units)
        yield f"{share} of the units were seen in two arms: identities are not stable"
    if kinds and quality.units and _is_too_much(quality.ahead or 0, quality.units):
        share = percent(quality.ahead or 0, quality.units)
        yield f"{share} of the units begin in the future: a clock is wrong"
    if OUTCOMES in kinds:
        yield from _told(quality.told.get(question.name, Told(0)))
        yield from _fallen(question.name, quality)


def _kinds(metric: Metric | None) -> tuple[str, ...]:
    """Return which records a question rests on; a poll rests on none of ours."""
    match None if metric is None else metric.source:
        case Source.OUTCOMES:
            return (EXPOSURES, OUTCOMES)
        case Source.PROXY | None:
            return (EXPOSURES,)
        case Source.PROMETHEUS:
            return ()


def _lost(one: Loss) -> str:
    rows = f"{one.rows:,}" if one.rows else "nobody knows how many"
    return f"{one.node} lost records ({one.kind}: {rows}), and they may be this run's"


def _gap(one: Gap) -> str:
    what = f"the bytes {one.start:,} to {one.end:,} of {one.node}'s {one.kind}, log {one.log[:_SHOWN]}"
    return f"{what}, were handed in and are in no file of the lake"


def _told(told: Told) -> Iterator[str]:
    found = (
        (told.conflicting, "repeat a key with another content"),
        (told.wrong_value, "have a value that a metric of this type cannot use"),
    )
    for rows, what in found:
        if _is_too_much(rows, told.rows):
            yield f"{percent(rows, told.rows)} of its outcomes {what}"


def _fallen(name: str, quality: Quality) -> Iterator[str]:
    found = quality.reports.get(name)
    if found is None or not found.units.size:
        return
    known = found.log_e
    log_e = reporting.log_e_by_slice(found.units, found.reporting) if known is None else known
    at = int(np.argmax(log_e))
    if log_e[at] >= reporting.bar():
        units, told = (int(part[at:].sum()) for part in (found.units, found.reporting))
        before = percent(int(found.reporting[:at].sum()), int(found.units[:at].sum()))
        yield f"reports fell: {percent(told, units)} of the last {units:,} units told it, {before} before"


def _is_too_much(part: int, whole: int) -> bool:
    """Return whether a share is proven to be beyond what may be left out."""
    if not part:
        return False
    log_e = slo.log_e_violation(min(part, whole), whole, limit=MOST)
    return bool(log_e >= bars.reject_bar(ALPHA))


def percent(part: int, whole: int) -> str:
    """Write a share of a whole, with one digit that is not zero at least."""
    share = 100.0 * part / whole if whole else 0.0
    return f"{share:.1f} %" if share >= 1 or share == 0 else f"{share:.2g} %"
