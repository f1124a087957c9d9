"""The queue says what a look over all runs would say: who is due, who goes first, when the next one is."""

from __future__ import annotations

import math
import random
import threading

import pytest

from rollout.controller.due import HURRIED_IN_A_ROW, Due, Queue
from rollout.controller.workers import Threads


def expected(queue: Queue, now_s: float, in_a_row: int) -> tuple[str | None, float]:
    """Return who goes first and when the next one is, of all runs looked at one by one."""
    waiting = [(one.at_s, uid, one) for uid, one in queue.runs.items() if not one.is_busy]
    due = sorted((at_s, uid, one.is_hurried) for at_s, uid, one in waiting if at_s <= now_s)
    hurried = [uid for _, uid, is_hurried in due if is_hurried]
    others = [uid for _, uid, is_hurried in due if not is_hurried]
    if in_a_row >= HURRIED_IN_A_ROW:
        hurried, others = others, hurried
    later = [at_s for at_s, _, _ in waiting if at_s > now_s]
    return next(iter(hurried + others), None), min(later, default=math.inf)


@pytest.mark.parametrize("seed", range(5))
def test_a_queue_agrees_with_a_look_over_all_runs(seed: int) -> None:
    chance, queue, now_s = random.Random(seed), Queue(), 0.0  # noqa: S311 (no secret)
    taken, in_a_row = 0, 0
    for number in range(2_000):
        now_s += chance.choice([0.0, 0.1, 3.0])
        uid = f"run{chance.randrange(30)}"
        known = queue.runs.get(uid)
        if known is None:
            queue.runs[uid] = Due(now_s + chance.choice([0.0, 1.0, 9.0]), 1, uid)
            queue.put(uid)
        elif known.is_busy:
            known.is_busy, known.at_s, known.is_hurried = False, now_s + chance.choice([0.0, 1.0]), False
            queue.put(uid)
        elif chance.random() < 0.1:
            queue.drop(uid)
        else:
            known.at_s, known.is_hurried = chance.choice([now_s, known.at_s]), True
            queue.put(uid)
        first, next_s = expected(queue, now_s, in_a_row)
        assert queue.first(now_s) == first
        assert queue.next_s() == next_s
        if first is not None and number % 2:
            in_a_row = in_a_row + 1 if queue.runs[first].is_hurried else 0
            queue.take(first).is_busy, queue.runs[first].began_s = True, now_s
            taken += 1
        assert queue.young(now_s - 5.0) == sum(
            one.is_busy and one.began_s > now_s - 5.0 for one in queue.runs.values()
        )
    assert taken > 100


def test_harm_waits_for_no_backlog_and_nobody_waits_for_ever() -> None:
    queue = Queue()
    for number in range(50):
        queue.runs[f"late{number:02d}"] = Due(number / 100, 1, "late")
        queue.put(f"late{number:02d}")
    for number in range(9):
        queue.runs[f"harmed{number}"] = Due(60.0, 1, "harmed", is_hurried=True)
        queue.put(f"harmed{number}")
    order = []
    while (uid := queue.first(60.0)) is not None:
        order.append(uid)
        queue.take(uid).is_busy = True
    assert [uid[:-1] for uid in order[:8]] == [*["harmed"] * 3, "late0", *["harmed"] * 3, "late0"]
    assert len(order) == 59


def test_every_task_is_carried_out_whichever_thread_waits() -> None:
    workers, turn = Threads(3), threading.Lock()
    done: list[int] = []

    def note(number: int) -> None:
        with turn:
            done.append(number)

    begun = 0
    while begun < 300:
        begun += workers.begin(f"task{begun}", lambda number=begun: note(number))  # type: ignore[misc]
    assert workers.finish(30)
    assert sorted(done) == list(range(300))
