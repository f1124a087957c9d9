"""From numbers to verdicts: one row for each candidate and question, a column for each replicate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.domain.evidence import Flags
from rollout.domain.experiment import Experiment
from rollout.domain.look import Looks
from rollout.domain.measure.measured import Measured, Polled
from rollout.domain.question import Question, harm_bar, proof_bar, watch_bar
from rollout.domain.verdict import Finding, Verdict, latch_name
from rollout.stats import bars
from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from rollout.stats.interval import Interval

_HARMED, _MISSING, _UNCLEAR, _SAFE, _BETTER = range(5)
_FIELDS: Final = tuple(field.name for field in fields(Verdict))
_FINDINGS: Final = (Finding.HARMED, Finding.MISSING, Finding.UNCLEAR, Finding.SAFE, Finding.BETTER)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured of one candidate, and in which replicates it was asked, [replicate]."""

    question: Question
    arm: int
    found: Measured | Polled | None
    is_asked: BoolArray
    doubt: str | None = None
    """Why nothing may be proven of it, whatever was measured."""
    unmeasured: str | None = None
    """Why it was not measured, if it was not."""

    @property
    def why_missing(self) -> str | None:
        """The reason to show beside a missing answer."""
        return self.doubt or self.unmeasured

    @property
    def is_absent(self) -> Flags:
        """Whether there is nothing to prove anything with."""
        return True if self.found is None else self.found.is_empty


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate's answer in every replicate; what may be latched has a name."""

    question: Question
    is_asked: list[bool]
    verdicts: list[Verdict]
    latch: str | None = None
    latched: tuple[float, ...] = ()

    @property
    def is_asked_of_all(self) -> bool:
        """Whether no replicate leaves it out."""
        return all(self.is_asked)


class Writer:
    """Writes the verdicts of one look; what is missing keeps every proof of its replicate from latching."""

    def __init__(self, experiments: Sequence[Experiment], answers: Sequence[Answer], seen: Looks) -> None:
        policy = experiments[0].policy
        self._experiments, self._seen, self._answers = experiments, seen, answers
        self._proof_bar = proof_bar(policy)
        self._harm_bar = np.where(seen.is_watching, watch_bar(policy), harm_bar(policy))
        self._may_latch = seen.may_latch
        for answer in answers:
            if not answer.question.is_observed:
                self._may_latch = self._may_latch & ~(answer.is_asked & self._is_missing(answer))

    def rows(self) -> list[Row]:
        """Return one row for each answer."""
        return [self._row(answer) for answer in self._answers]

    def _row(self, answer: Answer) -> Row:
        match answer.found:
            case Measured():
                return self._measured(answer, answer.found)
            case Polled():
                return self._polled(answer, answer.found)
            case None:
                return self._absent(answer)

    def _is_missing(self, answer: Answer) -> BoolArray:
        if answer.doubt is not None:
            return np.ones(self._harm_bar.shape, dtype=np.bool_)
        return np.asarray(answer.is_absent & self._seen.are_due(answer.question.window_s))

    def _absent(self, answer: Answer) -> Row:
        """Return unclear while no window can have closed yet, and missing from then on."""
        name, needs_proof = answer.question.name, answer.question.needs_proof
        early = Verdict(name, Finding.UNCLEAR, answer.arm, is_immature=True, needs_proof=needs_proof)
        late = Verdict(name, Finding.MISSING, answer.arm, needs_proof=needs_proof, why=answer.why_missing)
        return _row(answer, [late if missing else early for missing in self._is_missing(answer).tolist()])

    def _polled(self, answer: Answer, found: Polled) -> Row:
        """Return a state without numbers: thresholds are outside the error budget."""
        missing = self._is_missing(answer)
        latest = np.asarray(np.nan if found.latest is None else found.latest, dtype=np.float64)
        finding = np.where(found.is_safe, _SAFE, np.where(missing, _MISSING, _UNCLEAR))
        columns = (
            self._codes(np.where(found.is_harmed, _HARMED, finding)),
            # A server may well answer with no number: its poll was a gap then.
            self._known(latest, np.isfinite(latest)),
            self._flags(found.is_empty & ~missing),
        )
        verdicts = [
            Verdict(
                answer.question.name,
                _FINDINGS[code],
                answer.arm,
                estimate=value,
                is_immature=is_immature and code == _UNCLEAR,
                needs_proof=answer.question.needs_proof,
                why=answer.why_missing if code == _MISSING else None,
            )
            for code, value, is_immature in zip(*columns, strict=True)
        ]
        return _row(answer, verdicts)

    def _measured(self, answer: Answer, found: Measured) -> Row:
        """Return a metric's numbers against its bars, with its proof latched where the look may latch."""
        latch = latch_name(answer.arm, answer.question.name)
        before = np.array([one.latches.get(latch, 0.0) for one in self._experiments])
        kept = bars.latch(before, found.log_e_proof, valid=self._may_latch & ~np.asarray(found.is_outage))
        # What is only reported, and what is seen after the promotion, has no older proof to rest on.
        is_current = self._seen.is_watching | answer.question.is_observed
        latched = np.where(is_current, found.log_e_proof, kept)
        verdicts = self._verdicts(answer, found, latched)
        if answer.question.is_observed:
            return _row(answer, verdicts)
        return Row(answer.question, answer.is_asked.tolist(), verdicts, latch, tuple(latched.tolist()))

    def _verdicts(self, answer: Answer, found: Measured, latched: FloatArray) -> list[Verdict]:
        question, missing = answer.question, self._is_missing(answer)
        codes = np.broadcast_to(self._findings(found, latched, missing), self._harm_bar.shape)
        is_immature = (found.is_immature | (found.is_empty & ~missing)) & (codes == _UNCLEAR)
        worst = found.interval.lower if question.is_more_better else -found.interval.upper
        columns: dict[str, Iterable[object]] = {
            "metric": repeat(question.name),
            "finding": [_FINDINGS[code] for code in codes.tolist()],
            "arm": repeat(answer.arm),
            "log_e_proof": self._floats(found.log_e_proof),
            "log_e_harm": self._floats(found.log_e_harm),
            "latched_proof": self._floats(latched),
            "proof_bar": repeat(self._proof_bar),
            "harm_bar": self._floats(self._harm_bar),
            "estimate": self._known(found.estimate, found.has_estimate),
            "interval": self._intervals(found.interval),
            "is_immature": self._flags(is_immature),
            "is_outage": self._flags(found.is_outage),
            "needs_proof": repeat(question.needs_proof),
            "bound": self._known(worst, found.interval.known),
            "why": self._reasons(answer, codes),
        }
        # In the order of the fields: a name for each of a million values would cost a third of their making.
        return list(map(Verdict, *(columns[name] for name in _FIELDS)))

    def _findings(self, found: Measured, latched: FloatArray, missing: BoolArray) -> IntArray:
        """Return each replicate's finding, the worst that holds."""
        proven = bars.is_proven(latched, score=found.score, log_e_harm=found.log_e_harm, bar=self._proof_bar)
        good = _BETTER if found.is_superiority else _SAFE
        is_good = proven & ~np.asarray(found.is_outage) & ~np.asarray(found.is_empty)
        finding = np.where(missing, _MISSING, np.where(is_good, good, _UNCLEAR))
        return np.where(found.log_e_harm >= self._harm_bar, _HARMED, finding)

    def _reasons(self, answer: Answer, codes: IntArray) -> Iterable[str | None]:
        """Return why each is missing; a doubt also stands beside harm, which it never hides."""
        if answer.why_missing is None or answer.doubt is not None:
            return repeat(answer.doubt)
        return [answer.why_missing if code == _MISSING else None for code in codes.tolist()]

    def _intervals(self, interval: Interval) -> list[tuple[float, float] | None]:
        ends = (self._floats(interval.lower), self._floats(interval.upper), self._flags(interval.known))
        return [(low, high) if known else None for low, high, known in zip(*ends, strict=True)]

    def _known(self, values: ArrayLike, known: ArrayLike) -> list[float | None]:
        pairs = zip(self._floats(values), self._flags(known), strict=True)
        return [value if is_known else None for value, is_known in pairs]

    def _floats(self, values: ArrayLike) -> list[float]:
        return [*np.broadcast_to(np.asarray(values, dtype=np.float64), self._harm_bar.shape).tolist()]

    def _flags(self, values: ArrayLike) -> list[bool]:
        return [*np.broadcast_to(np.asarray(values, dtype=np.bool_), self._harm_bar.shape).tolist()]

    def _codes(self, values: IntArray) -> list[int]:
        return [*np.broadcast_to(values, self._harm_bar.shape).tolist()]


def _row(answer: Answer, verdicts: list[Verdict]) -> Row:
    """Return a row of which nothing is latched."""
    return Row(answer.question, answer.is_asked.tolist(), verdicts)
