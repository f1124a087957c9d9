"""The queue says what a look over all runs would say: who is due, who goes first, when the next one is."""

from __future__ import annotations

import math
import random
import threading

import pytest

from rollout.controller.due import Due, Queue, rank_s
from rollout.controller.workers import Threads


def expected(queue: Queue, now_s: float) -> tuple[str | None, float]:
    """Return who goes first and when the next one is, of all runs looked at one by one."""
    waiting = [(uid, one) for uid, one in queue.runs.items() if not one.is_busy]
    due = [(rank_s(one.at_s, is_hurried=one.is_hurried), uid) for uid, one in waiting if one.at_s <= now_s]
    later = [one.at_s for _, one in waiting if one.at_s > now_s]
    return min(due)[1] if due else None, min(later, default=math.inf)


@pytest.mark.parametrize("seed", range(5))
def test_a_queue_agrees_with_a_look_over_all_runs(seed: int) -> None:
    chance, queue, now_s = random.Random(seed), Queue(), 0.0  # noqa: S311 (no secret)
    taken = 0
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
        first, next_s = expected(queue, now_s)
        assert queue.first(now_s) == first
        assert queue.next_s() == next_s
        if first is not None and number % 2:
            queue.take(first).is_busy, queue.runs[first].began_s = True, now_s
            taken += 1
        assert queue.young(now_s - 5.0) == sum(
            one.is_busy and one.began_s > now_s - 5.0 for one in queue.runs.values()
        )
    assert taken > 100


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
