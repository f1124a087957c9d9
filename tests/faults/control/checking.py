"""What must hold of decisions after a fault, checked exactly and purely, so that a test sees it complain."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from rollout.domain.decision import Action, Reason
from tests.faults.checking import Broken
from tests.faults.control.people import Told
from tests.faults.control.policies import GOOD, HANDS
from tests.faults.control.records import Kept, KeptDecision, KeptRun, Line
from tests.faults.control.watching import Claim, Heard, Seen, Watched

TOGETHER_US: Final = 1_000_000
"""Nobody loses the lead and wins it again sooner: standbys ask once a second."""
PROMOTE, ROLLBACK = "promote", "rollback"
_ENDS: Final = {
    Reason.PROMOTION_DONE.name: PROMOTE,
    Reason.PROMOTION_FAILED.name: PROMOTE,
    Reason.PROMOTION_LATE.name: PROMOTE,
    Reason.ROLLBACK_DONE.name: ROLLBACK,
    Reason.ROLLBACK_FAILED.name: ROLLBACK,
    Reason.ROLLBACK_LATE.name: ROLLBACK,
}
_ONCE_ACTIONS: Final = frozenset({Action.PROMOTE.value, Action.ROLL_BACK.value, Action.STOP.value})
_ONCE_REASONS: Final = frozenset(
    {Reason.PROMOTION_DONE.name, Reason.ROLLBACK_DONE.name, Reason.WATCH_PASSED.name}
)
PROVEN_BY: Final = {GOOD: Reason.GOAL_PROVEN.name, HANDS: Reason.PERSON_PROMOTES.name}
"""Which runs may be promoted, and why; all others have nothing that could be proven."""


class Vow(StrEnum):
    """What is promised of decisions, by what it is called when it is broken."""

    DECISION_LOST = "a decision that was there is lost"
    DECISION_DOUBLED = "something was decided twice"
    ACTION_LOST = "an action that was decided and ended was never carried out"
    ACTION_DOUBLED = "an action was carried out more often than it was decided"
    UNPROVEN = "something was promoted without proof, and nobody overruled"
    WISH_LOST = "what was acknowledged to a person is lost"
    WISH_DOUBLED = "what a person asked for counts twice"
    AUDIT = "the audit does not hold together"
    DISAGREES = "a decision does not follow from what it rests on"
    OLDER_TERM = "a node followed a control plane that led no longer"
    TWO_LEAD = "two control planes led at once"
    STUCK = "a run did not come to its end, although nothing was wrong any more"
    LATE = "nobody led again in time"
    OLDER_STATE = "an older state was told than before"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often an action must have been carried out, and how often at most."""

    least: int = 0
    most: int = 0

    def more(self, least: int, most: int) -> Bounds:
        """Return wider bounds."""
        return Bounds(self.least + least, self.most + most)


def check(told: Told, watched: Watched, kept: Kept) -> list[Broken]:
    """Return everything that is broken."""
    by_run: dict[str, list[KeptDecision]] = defaultdict(list)
    for one in kept.decisions:
        by_run[one.uid].append(one)
    runs = {run.uid: run for run in kept.runs}
    return [
        *_numbers(runs, by_run),
        *_twice(by_run),
        *_seen(runs, by_run, watched.seen),
        *_actions(runs, by_run, kept.lines),
        *_proofs(runs, by_run, kept.lines),
        *_begun(told, kept.runs),
        *_words(told, kept),
        *_audit(kept),
        *(Broken(Vow.DISAGREES, one) for one in kept.disagreeing),
        *_terms(watched.terms),
        *_leaders(watched.claims),
        *(Broken(Vow.STUCK, one.what, one.at_us) for one in told.stuck),
    ]


def _numbers(runs: Mapping[str, KeptRun], by_run: Mapping[str, Sequence[KeptDecision]]) -> Iterator[Broken]:
    for uid, run in runs.items():
        numbers = Counter(one.number for one in by_run.get(uid, ()))
        for number in range(1, max([run.entries, *numbers]) + 1):
            if number not in numbers:
                yield Broken(Vow.DECISION_LOST, f"{uid} #{number}: {run.entries} were recorded")
            elif numbers[number] > 1 or number > run.entries:
                yield Broken(Vow.DECISION_DOUBLED, f"{uid} #{number} beside {run.entries} of its run")


def _twice(by_run: Mapping[str, Sequence[KeptDecision]]) -> Iterator[Broken]:
    for uid, decisions in by_run.items():
        once = Counter(one.action for one in decisions if one.action in _ONCE_ACTIONS)
        once += Counter(one.reason for one in decisions if one.reason in _ONCE_REASONS)
        for what, times in once.items():
            if times > 1:
                yield Broken(Vow.DECISION_DOUBLED, f"{uid}: {what} {times} times", decisions[-1].at_us)
        pauses = [one for one in decisions if one.action in {Action.PAUSE.value, Action.RESUME.value}]
        for one, next_one in pairwise(pauses):
            if one.action == next_one.action:
                yield Broken(
                    Vow.DECISION_DOUBLED, f"{uid} #{next_one.number}: {one.action} again", next_one.at_us
                )


def _seen(
    runs: Mapping[str, KeptRun], by_run: Mapping[str, Sequence[KeptDecision]], seen: Iterable[Seen]
) -> Iterator[Broken]:
    newest: dict[str, tuple[int, int]] = {}
    reasons = {(uid, one.number): one.reason for uid, own in by_run.items() for one in own}
    for one in seen:
        what = f"{one.uid} #{one.number} {one.reason}"
        if (one.version, one.number) < newest.get(one.uid, (0, 0)):
            yield Broken(Vow.OLDER_STATE, what, one.at_us)
        newest[one.uid] = (one.version, one.number)
        run = runs.get(one.uid)
        if run is None or run.version < one.version or (one.number and one.number > run.entries):
            yield Broken(Vow.DECISION_LOST, f"{what} was told", one.at_us)
        elif one.number and reasons.get((one.uid, one.number), one.reason) != one.reason:
            yield Broken(Vow.DECISION_LOST, f"{what} was told, and is another one", one.at_us)


def bounds(decisions: Iterable[KeptDecision]) -> dict[str, Bounds]:
    """Return how often each action of one run must, and may, have been carried out."""
    found = {PROMOTE: Bounds(), ROLLBACK: Bounds()}
    is_open, last = "", PROMOTE
    for one in decisions:
        ended = _ENDS.get(one.reason)
        if ended is not None:
            found[ended] = found[ended].more(1, 1)
            is_open = ""
        elif one.action in {Action.PROMOTE.value, Action.ROLL_BACK.value, Action.RETRY.value}:
            if is_open:  # taken back, perhaps before it began
                found[is_open] = found[is_open].more(0, 1)
            if one.action != Action.RETRY.value:
                last = PROMOTE if one.action == Action.PROMOTE.value else ROLLBACK
            is_open = last
    if is_open:
        found[is_open] = found[is_open].more(0, 1)
    return found


def _actions(
    runs: Mapping[str, KeptRun], by_run: Mapping[str, Sequence[KeptDecision]], lines: Iterable[Line]
) -> Iterator[Broken]:
    written: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        written[line.uid, line.action].append(line)
    for uid in {*runs, *(uid for uid, _ in written)}:
        for action, allowed in bounds(by_run.get(uid, ())).items():
            own = written[uid, action]
            at_us = own[-1].at_us if own else 0
            if len(own) < allowed.least:
                yield Broken(Vow.ACTION_LOST, f"{uid}: {action}, {len(own)} of {allowed.least}", at_us)
            if len(own) > allowed.most:
                yield Broken(Vow.ACTION_DOUBLED, f"{uid}: {action}, {len(own)} of {allowed.most}", at_us)


def _proofs(
    runs: Mapping[str, KeptRun], by_run: Mapping[str, Sequence[KeptDecision]], lines: Iterable[Line]
) -> Iterator[Broken]:
    decided: dict[str, int] = {}
    for uid, decisions in by_run.items():
        for one in decisions:
            if one.action == Action.PROMOTE.value:
                decided.setdefault(uid, one.at_us)
                if one.reason != PROVEN_BY.get(runs[uid].name):
                    yield Broken(Vow.UNPROVEN, f"{uid} of {runs[uid].name}: {one.reason}", one.at_us)
    for line in lines:
        if line.action == PROMOTE and line.at_us < decided.get(line.uid, line.at_us + 1):
            yield Broken(Vow.UNPROVEN, f"{line.uid} of {line.name}: its action came first", line.at_us)


def _begun(told: Told, runs: Sequence[KeptRun]) -> Iterator[Broken]:
    known = {(run.name, run.uid, run.candidate) for run in runs}
    for one in told.begun:
        if (one.name, one.uid, one.version) not in known:
            yield Broken(Vow.WISH_LOST, f"the start of {one.uid}, {one.name} {one.version}", one.at_us)
    for what, times in Counter((run.name, run.candidate) for run in runs).items():
        if times > 1:
            yield Broken(Vow.WISH_DOUBLED, f"{what} was begun {times} times")


def _words(told: Told, kept: Kept) -> Iterator[Broken]:
    asked = Counter(act.why for act in kept.acts if act.about is None and act.why)
    answered = Counter(one.why for one in kept.decisions if one.why is not None)
    for word in told.words:
        lines, answers = asked[word.why], answered[word.why]
        what = f"{word.why}: {lines} lines in the audit, {answers} decisions"
        if word.is_acknowledged and not (lines and answers):
            yield Broken(Vow.WISH_LOST, what, word.at_us)
        if max(lines, answers) > 1 or answers > lines:
            yield Broken(Vow.WISH_DOUBLED, what, word.at_us)
    known = {word.why for word in told.words}
    for why in answered.keys() - known:
        yield Broken(Vow.WISH_DOUBLED, f"nobody asked: {why}")


def _audit(kept: Kept) -> Iterator[Broken]:
    yield from (Broken(Vow.AUDIT, one) for one in kept.audit)
    vouched = Counter(act.about for act in kept.acts if act.about is not None)
    for one in kept.decisions:
        times = vouched[f"decision {one.uid} {one.number}"]
        if times != 1:
            yield Broken(Vow.AUDIT, f"{one.uid} #{one.number}: {times} lines", one.at_us)


def _terms(heard: Iterable[Heard]) -> Iterator[Broken]:
    newest: dict[str, int] = {}
    for one in heard:
        if one.term < newest.get(one.edge, 0):
            what = f"{one.edge}: term {one.term} after {newest[one.edge]}"
            yield Broken(Vow.OLDER_TERM, what, one.at_us)
        newest[one.edge] = max(one.term, newest.get(one.edge, 0))


def _leaders(claims: Iterable[Claim]) -> Iterator[Broken]:
    """Complain of a claim that lies between two of another one, so close that it led all the while."""
    by_control: dict[int, list[Claim]] = defaultdict(list)
    for one in claims:
        by_control[one.control].append(one)
    for control, own in by_control.items():
        spans = [
            (one.answered_us, next_one.asked_us)
            for one, next_one in pairwise(own)
            if next_one.answered_us - one.asked_us < TOGETHER_US
        ]
        begins = [begin for begin, _ in spans]
        for other, found in by_control.items():
            for one in found if other != control else ():
                place = bisect_right(begins, one.asked_us) - 1
                if place >= 0 and one.answered_us <= spans[place][1]:
                    yield Broken(Vow.TWO_LEAD, f"{other} beside {control}", one.asked_us)


def longest_without(claims: Iterable[Claim], from_us: int, until_us: int) -> int:
    """Return for how long at most nobody said that it leads, between these moments."""
    answered = sorted(one.answered_us for one in claims if from_us <= one.answered_us <= until_us)
    return max(b - a for a, b in pairwise([from_us, *answered, until_us]))
