"""What happens belongs to the fault that struck last, and no figure of a round is forgotten."""

from __future__ import annotations

from tests.e2e.memory import Memory
from tests.faults.checking import Broken, Promise, Verdict
from tests.faults.control.checking import Vow
from tests.faults.control.course import Decided, of_round
from tests.faults.control.people import Begun, Told, Word
from tests.faults.control.records import Kept, KeptDecision, Line
from tests.faults.control.watching import Claim
from tests.faults.course import Struck
from tests.faults.excuses import Window

STRUCK = [Struck("killed", Window(100, 200), 1), Struck("paused", Window(300, 400), 0)]


def test_everything_is_told_to_the_last_fault_before_it() -> None:
    decisions = [
        KeptDecision("g", number, at_us, "hold", "ENDED") for number, at_us in enumerate((9, 150, 350))
    ]
    lines = [Line(at_us, "promote", "good", "g", "2") for at_us in (160, 170)]
    words = [Word("good", "pause", f"{at_us}", at_us, is_acknowledged=at_us < 360) for at_us in (350, 370)]
    told = Told(words, [Begun("good", "g", "2", 120)])
    claims = [Claim(1, 100, 110), Claim(2, 250, 260), Claim(2, 390, 395)]
    verdict = Verdict([Broken(Vow.DECISION_LOST, "it", 180)])
    found = of_round(STRUCK, Memory(), verdict, told, Kept((), decisions, (), lines), claims, 50, 500)
    killed, paused = found["killed"], found["paused"]
    assert (killed.decisions, killed.actions, killed.wishes, killed.leaderless_us) == (1, 2, 1, 150)
    assert (paused.decisions, paused.actions, paused.wishes, paused.leaderless_us) == (1, 0, 1, 105)
    assert [one.promise for one in killed.users.broken] == [Vow.DECISION_LOST]
    assert [one.promise for one in paused.users.broken] == [Promise.NOT_MET]


def test_no_figure_of_a_round_is_forgotten() -> None:
    one, whole = Decided(decisions=1, actions=2, wishes=3, leaderless_us=4), Decided()
    one.users.struck = 5
    for _ in range(2):
        whole.add(one)
    assert (whole.decisions, whole.actions, whole.wishes, whole.leaderless_us) == (2, 4, 6, 4)
    assert whole.users.struck == 10
