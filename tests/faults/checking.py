"""What must hold after a fault, checked exactly: pure, so that a test can show that it complains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rollout.lake.outcomes import MICRO
from rollout.lake.units import UnitHash
from tests.e2e.memory import Asked, Attempt, Posted
from tests.faults.excuses import Excuses, Loss
from tests.faults.matching import best_matched

OK: Final = 200
Content = tuple[int, str, int, int]
"""An outcome without its key: unit, metric, time and value; no two of a crowd are alike."""


class Promise(StrEnum):
    """What is promised, by what it is called when it is broken."""

    FAILED = "a user's request failed"
    MOVED = "a user met another arm"
    LOST = "an answered request is not in the lake"
    DOUBLED = "a request is in the lake twice"
    CHANGED = "a request stands in the lake with another arm or status than the user saw"
    OUTCOME_LOST = "an acknowledged outcome is not in the lake"
    OUTCOME_DOUBLED = "an outcome counts twice"
    NOT_MET = "a fault was not met by any request"
    LEFT_BEHIND = "a process was left behind"


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that does not hold, and by what."""

    promise: StrEnum
    what: str
    at_us: int = 0
    """When, by the users' clock; nothing when that cannot be said."""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.promise}: {self.what}"


@dataclass(frozen=True, slots=True)
class Row:
    """A request in the lake."""

    unit: int
    ts_us: int
    arm: str
    status: int
    attempts: int


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """An outcome in the lake."""

    unit: int
    metric: str
    ts_us: int
    value_u: int
    key: int


@dataclass(frozen=True, slots=True)
class Filed:
    """What the lake holds."""

    rows: Sequence[Row] = ()
    tallied: int = 0
    """Requests that have no row of their own."""
    outcomes: Sequence[OutcomeRow] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """What the policy gives a user: the arm that answers name, and whether the lake keeps its requests."""

    arm: str
    has_rows: bool


@dataclass(frozen=True, slots=True)
class Forgiven:
    """An answer that is not in the lake, and the break for which it is forgiven."""

    at_us: int
    broke_us: int


@dataclass(slots=True)
class Verdict:
    """What the checks found: what is broken, and what was forgiven."""

    broken: list[Broken] = field(default_factory=list)
    forgiven: list[Forgiven] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Checker:
    """Compares what users remember with what the lake holds."""

    seat_of: Callable[[str | None], Seat]
    hashing: UnitHash
    excuses: Excuses

    def check(self, asked: Sequence[Asked], posted: Mapping[str, Posted], filed: Filed) -> Verdict:
        """Return everything that is broken; `filed` may hold rows of other users, but no tallies of them."""
        found = Verdict()
        found.broken += self.check_answers(asked)
        found.broken += self._arms(asked)
        self._rows(asked, filed, found)
        self._tallies(asked, filed, found)
        found.broken += self.check_outcomes(posted, filed)
        return found

    def check_again(self, asked: Sequence[Asked], posted: Mapping[str, Posted], filed: Filed) -> Verdict:
        """Return what is broken of these users' rows and outcomes, when others have come since."""
        found = Verdict()
        self._rows(asked, filed, found)
        found.broken += self.check_outcomes(posted, filed)
        return found

    def check_answers(self, asked: Iterable[Asked]) -> Iterator[Broken]:
        """Yield every request that was not answered as it should be."""
        for one in asked:
            for attempt in one.attempts:
                if attempt.code is None:
                    if not self.excuses.forgives_cut(attempt.began_us, attempt.ended_us):
                        yield Broken(Promise.FAILED, f"{_name(one)} was cut off", attempt.ended_us)
                elif attempt.code != OK or attempt.arm is None or not attempt.is_whole:
                    got = f"{attempt.code} from {attempt.arm}{'' if attempt.is_whole else ', body damaged'}"
                    yield Broken(Promise.FAILED, f"{_name(one)} got {got}", attempt.ended_us)
            if one.answer is None:
                yield Broken(Promise.FAILED, f"{_name(one)} was never answered", one.ended_us)

    def _arms(self, asked: Iterable[Asked]) -> Iterator[Broken]:
        for one in asked:
            answer = one.answer
            if answer is not None and answer.arm is not None and answer.arm != self.seat_of(one.unit).arm:
                yield Broken(Promise.MOVED, f"{_name(one)} met {answer.arm}", answer.ended_us)

    def _rows(self, asked: Iterable[Asked], filed: Filed, found: Verdict) -> None:
        tries: dict[int, list[tuple[Asked, Attempt]]] = defaultdict(list)
        for one in asked:
            unit = self.hashing.unit(one.unit)
            if unit is not None and self.seat_of(one.unit).has_rows:
                tries[unit] += [(one, attempt) for attempt in one.attempts if attempt.was_sent]
        rows: dict[int, list[Row]] = defaultdict(list)
        for row in filed.rows:
            if row.unit in tries:
                rows[row.unit].append(row)
        for unit, own in tries.items():
            self._unit(own, rows[unit], found)

    def _unit(self, tries: list[tuple[Asked, Attempt]], rows: list[Row], found: Verdict) -> None:
        spans = [self.excuses.on_the_node(attempt.began_us, attempt.ended_us) for _, attempt in tries]
        ordered = sorted(rows, key=lambda row: row.ts_us)
        sure = [place for place, (_, attempt) in enumerate(tries) if self._is_sure(attempt)]
        pairs = best_matched(spans, sure, [row.ts_us for row in ordered])
        taken = {span: row for row, span in pairs.items()}
        for place, (one, attempt) in enumerate(tries):
            row = taken.get(place)
            if attempt.code is None:
                continue
            if row is not None:
                seen = (ordered[row].arm, ordered[row].status)
                if seen != (attempt.arm, attempt.code):
                    found.broken.append(
                        Broken(Promise.CHANGED, f"{_name(one)} is filed as {seen}", attempt.ended_us)
                    )
            elif (loss := self._loss(attempt)) is not None:
                found.forgiven.append(Forgiven(attempt.ended_us, loss.broke_us))
            else:
                found.broken.append(Broken(Promise.LOST, _name(one), attempt.ended_us))
        found.broken += [
            Broken(Promise.DOUBLED, f"a row of {tries[0][0].unit} has no request", row.ts_us)
            for place, row in enumerate(ordered)
            if place not in pairs
        ]

    def _is_sure(self, attempt: Attempt) -> bool:
        """Return whether an attempt must be in the lake."""
        return attempt.code is not None and self._loss(attempt) is None

    def _loss(self, attempt: Attempt) -> Loss | None:
        return self.excuses.forgiven_loss(attempt.began_us, attempt.ended_us)

    def _tallies(self, asked: Iterable[Asked], filed: Filed, found: Verdict) -> None:
        sure = unsure = 0
        for one in asked:
            if one.unit is None or not self.seat_of(one.unit).has_rows:
                for attempt in one.attempts:
                    is_sure = self._is_sure(attempt)
                    sure += is_sure
                    unsure += attempt.was_sent and not is_sure
        if filed.tallied < sure:
            found.broken.append(Broken(Promise.LOST, f"{sure - filed.tallied} of {sure} that are tallied"))
        elif filed.tallied > sure + unsure:
            excess = filed.tallied - sure - unsure
            found.broken.append(Broken(Promise.DOUBLED, f"{excess} more are tallied than {sure} + {unsure}"))

    def check_outcomes(self, posted: Mapping[str, Posted], filed: Filed) -> Iterator[Broken]:
        """Yield every acknowledged outcome that is not there, and what counts twice."""
        sent = {self._content(one): key for key, one in posted.items()}
        units = {unit for unit, *_ in sent}
        rows: dict[Content, list[int]] = defaultdict(list)
        owners: dict[tuple[int, int], Content] = {}
        for row in filed.outcomes:
            if row.unit not in units:
                continue
            content = (row.unit, row.metric, row.ts_us, row.value_u)
            rows[content].append(row.key)
            if content not in sent:
                yield Broken(Promise.OUTCOME_DOUBLED, f"nobody sent {content}", row.ts_us)
            elif owners.setdefault((row.unit, row.key), content) != content:
                yield Broken(Promise.OUTCOME_LOST, f"{sent[content]}: another one has its key", row.ts_us)
        for content, key in sent.items():
            found, one = rows[content], posted[key]
            if one.is_acknowledged and not found:
                yield Broken(Promise.OUTCOME_LOST, key, one.ts_us)
            # Sent twice, it may lie there twice: readers take each key of a unit and metric once.
            if len(found) > one.posts or len(set(found)) > 1:
                yield Broken(
                    Promise.OUTCOME_DOUBLED, f"{key}: {len(found)} rows of {one.posts} posts", one.ts_us
                )

    def _content(self, one: Posted) -> Content:
        return (self.hashing.unit(one.unit) or 0, one.metric, one.ts_us, round(one.value * MICRO))


def _name(asked: Asked) -> str:
    return f"{asked.unit or 'a stranger'} #{asked.number}"
