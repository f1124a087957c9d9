"""The checks of decisions can fail: each promise, broken by hand where all was well, is complained of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from rollout.domain.decision import Reason
from tests.faults.control.checking import Bounds, Vow, bounds, check, longest_without
from tests.faults.control.people import Begun, Stuck, Told, Word
from tests.faults.control.policies import BAD, GOOD, HANDS
from tests.faults.control.records import Kept, KeptAct, KeptDecision, KeptRun, Line
from tests.faults.control.watching import Claim, Heard, Seen, Watched

PAUSE, PROMOTE, RETRY = "pause it", "promote it", "try again"


def decided(uid: str, *reasons: tuple[Reason, str | None]) -> list[KeptDecision]:
    """Return decisions, one each second."""
    return [
        KeptDecision(uid, number, number * 1_000_000, reason.action.value, reason.name, why)
        for number, (reason, why) in enumerate(reasons, start=1)
    ]


def history() -> list[KeptDecision]:
    """Return one run that is proven, one that harms, and one that people move."""
    return [
        *decided(
            "g",
            (Reason.GOAL_UNPROVEN, None),
            (Reason.GOAL_PROVEN, None),
            (Reason.PROMOTION_DONE, None),
            (Reason.WATCH_PASSED, None),
        ),
        *decided("b", (Reason.METRIC_HARMED, None), (Reason.ROLLBACK_DONE, None)),
        *decided(
            "h",
            (Reason.PERSON_PAUSES, PAUSE),
            (Reason.PERSON_PROMOTES, PROMOTE),
            (Reason.PROMOTION_FAILED, None),
            (Reason.PERSON_RETRIES, RETRY),
            (Reason.PROMOTION_DONE, None),
        ),
    ]


@dataclass
class World:
    """Three runs, all well."""

    told: Told = field(
        default_factory=lambda: Told(
            [Word(HANDS, why.split()[0], why, 5, is_acknowledged=True) for why in (PAUSE, PROMOTE, RETRY)],
            [Begun(GOOD, "g", "2", 1), Begun(BAD, "b", "2", 1), Begun(HANDS, "h", "2", 1)],
        )
    )
    claims: list[Claim] = field(
        default_factory=lambda: [
            Claim(1, 100, 110),
            Claim(1, 200, 210),
            Claim(2, 220, 230),
            Claim(2, 300, 310),
        ]
    )
    terms: list[Heard] = field(
        default_factory=lambda: [Heard("one", 1, 7), Heard("two", 2, 7), Heard("one", 3, 8)]
    )
    seen: list[Seen] = field(
        default_factory=lambda: [
            Seen("g", 2, 1, "GOAL_UNPROVEN", 10),
            Seen("g", 3, 2, "GOAL_PROVEN", 20),
        ]
    )
    runs: list[KeptRun] = field(
        default_factory=lambda: [
            KeptRun("g", GOOD, "2", 5, 4),
            KeptRun("b", BAD, "2", 3, 2),
            KeptRun("h", HANDS, "2", 9, 5),
        ]
    )
    decisions: list[KeptDecision] = field(default_factory=history)
    acts: list[KeptAct] = field(
        default_factory=lambda: [
            *(KeptAct(why.split()[0], HANDS, why, None) for why in (PAUSE, PROMOTE, RETRY)),
            *(KeptAct("it", "", one.why or "", f"decision {one.uid} {one.number}") for one in history()),
        ]
    )
    lines: list[Line] = field(
        default_factory=lambda: [
            Line(2_500_000, "promote", GOOD, "g", "2"),
            Line(1_500_000, "rollback", BAD, "b", "2"),
            Line(2_500_000, "promote", HANDS, "h", "2"),
            Line(4_500_000, "promote", HANDS, "h", "2"),
        ]
    )
    disagreeing: list[str] = field(default_factory=list)
    audit: list[str] = field(default_factory=list)

    def broken(self) -> set[str]:
        kept = Kept(self.runs, self.decisions, self.acts, self.lines, self.disagreeing, self.audit)
        found = check(self.told, Watched(self.claims, self.terms, self.seen), kept)
        return {str(one.promise) for one in found}

    def decide(self, uid: str, reason: Reason, why: str | None = None) -> None:
        """Record one more decision, with its line in the audit."""
        place = next(place for place, run in enumerate(self.runs) if run.uid == uid)
        number = self.runs[place].entries + 1
        self.runs[place] = replace(self.runs[place], entries=number)
        decision = KeptDecision(uid, number, number * 1_000_000, reason.action.value, reason.name, why)
        self.decisions.append(decision)
        self.acts.append(KeptAct("it", "", "", f"decision {uid} {number}"))


def change(world: World, number: int, **changes: object) -> None:
    world.decisions[number] = replace(world.decisions[number], **changes)  # type: ignore[arg-type]


def forget(world: World) -> None:
    """Lose the newest decision of a run as a database does that acknowledged too early."""
    world.decisions.pop(3)
    world.runs[0] = replace(world.runs[0], entries=3, version=4)
    world.acts = [one for one in world.acts if one.about != "decision g 4"]
    world.seen.append(Seen("g", 5, 4, "WATCH_PASSED", 30))


def lead_together(world: World) -> None:
    world.claims.insert(1, Claim(2, 120, 130))


def begin_again(world: World) -> None:
    world.runs.append(KeptRun("x", BAD, "2", 1, 0))


def promote_early(world: World) -> None:
    world.lines[0] = replace(world.lines[0], at_us=1_000_000)


def ask_in_vain(world: World) -> None:
    world.told.words.append(Word(HANDS, "stop", "stop it", 9, is_acknowledged=True))


def ask_unheard(world: World) -> None:
    """Record what was acknowledged, and never answer it."""
    ask_in_vain(world)
    world.acts.append(KeptAct("stop", HANDS, "stop it", None))


def test_when_all_is_well_nothing_is_complained_of() -> None:
    assert World().broken() == set()


@pytest.mark.parametrize(
    ("tamper", "vow"),
    [
        (lambda world: world.decisions.pop(1), Vow.DECISION_LOST),
        (forget, Vow.DECISION_LOST),
        (lambda world: world.runs.pop(0) and world.decisions.__delitem__(slice(4)), Vow.DECISION_LOST),
        (lambda world: change(world, 1, reason="PERSON_PROMOTES"), Vow.DECISION_LOST),
        (lambda world: world.decisions.append(world.decisions[0]), Vow.DECISION_DOUBLED),
        (lambda world: world.decisions.append(replace(world.decisions[3], number=5)), Vow.DECISION_DOUBLED),
        (lambda world: world.decide("g", Reason.GOAL_PROVEN), Vow.DECISION_DOUBLED),
        (lambda world: world.decide("b", Reason.ROLLBACK_DONE), Vow.DECISION_DOUBLED),
        (lambda world: world.decide("h", Reason.PERSON_PAUSES), Vow.DECISION_DOUBLED),
        (lambda world: world.lines.pop(0), Vow.ACTION_LOST),
        (lambda world: world.lines.pop(), Vow.ACTION_LOST),
        (lambda world: world.lines.append(world.lines[0]), Vow.ACTION_DOUBLED),
        (lambda world: world.lines.append(replace(world.lines[1], uid="x")), Vow.ACTION_DOUBLED),
        (promote_early, Vow.UNPROVEN),
        (lambda world: change(world, 4, action="promote", reason="GOAL_PROVEN"), Vow.UNPROVEN),
        (lambda world: change(world, 7, reason="GOAL_PROVEN"), Vow.UNPROVEN),
        (ask_in_vain, Vow.WISH_LOST),
        (ask_unheard, Vow.WISH_LOST),
        (lambda world: change(world, 6, why=None), Vow.WISH_LOST),
        (lambda world: world.acts.pop(0), Vow.WISH_LOST),
        (lambda world: world.told.begun.append(Begun(BAD, "y", "3", 1)), Vow.WISH_LOST),
        (lambda world: world.acts.append(world.acts[0]), Vow.WISH_DOUBLED),
        (lambda world: world.decide("h", Reason.WISH_UNFIT, PAUSE), Vow.WISH_DOUBLED),
        (lambda world: world.decide("h", Reason.WISH_UNFIT, "nobody's"), Vow.WISH_DOUBLED),
        (begin_again, Vow.WISH_DOUBLED),
        (lambda world: world.audit.append("line 3: changed"), Vow.AUDIT),
        (lambda world: world.acts.pop(), Vow.AUDIT),
        (lambda world: world.disagreeing.append("g #2"), Vow.DISAGREES),
        (lambda world: world.terms.append(Heard("one", 9, 7)), Vow.OLDER_TERM),
        (lead_together, Vow.TWO_LEAD),
        (lambda world: world.seen.append(Seen("g", 2, 1, "GOAL_UNPROVEN", 30)), Vow.OLDER_STATE),
        (lambda world: world.told.stuck.append(Stuck("g", 1)), Vow.STUCK),
    ],
)
def test_each_broken_promise_is_complained_of(tamper: Callable[[World], object], vow: Vow) -> None:
    world = World()
    tamper(world)
    assert vow in world.broken()


def test_what_nobody_acknowledged_may_be_there_or_not() -> None:
    world = World()
    world.told.words.append(Word(HANDS, "stop", "stop it", 9, is_acknowledged=False))
    assert world.broken() == set()
    world.acts.append(KeptAct("stop", HANDS, "stop it", None))
    world.decide("h", Reason.WISH_UNFIT, "stop it")
    assert world.broken() == set()


def test_what_was_taken_back_may_have_been_carried_out_or_not() -> None:
    reasons = ((Reason.GOAL_PROVEN, None), (Reason.PERSON_ROLLS_BACK, "it"), (Reason.ROLLBACK_DONE, None))
    assert bounds(decided("g", *reasons)) == {"promote": Bounds(0, 1), "rollback": Bounds(1, 1)}
    assert bounds(decided("g", *reasons[:1])) == {"promote": Bounds(0, 1), "rollback": Bounds()}


def test_one_that_leads_again_after_a_while_led_not_all_the_while() -> None:
    world = World()
    world.claims.append(Claim(1, 2_000_000, 2_000_010))
    assert world.broken() == set()


def test_the_longest_without_a_leader_begins_and_ends_with_the_time_that_is_looked_at() -> None:
    claims = [Claim(1, 0, 10), Claim(1, 90, 100), Claim(2, 690, 700), Claim(2, 990, 1_000)]
    assert longest_without(claims, 50, 1_100) == 600
    assert longest_without(claims, 150, 1_100) == 550
    assert longest_without([], 150, 1_100) == 950
