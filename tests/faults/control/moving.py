"""What must hold of users whose run is decided meanwhile: each asks once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from rollout.domain.assignment import CONTROL, Leaf, arm_name
from tests.e2e.memory import Memory
from tests.faults.checking import Broken, Checker, Filed, Promise

SAYS: Final[Mapping[str, str]] = {Leaf.PROMOTED: arm_name(1), Leaf.HOLD_BACK: CONTROL, Leaf.REST: CONTROL}
"""What answers name where the lake knows more: by whose route it was."""


def check_moving(checker: Checker, memory: Memory, filed: Filed) -> list[Broken]:
    """Return what is broken; `filed.tallied` is the number of all of their requests in the lake."""
    found = [*checker.check_answers(memory.asked), *checker.check_outcomes(memory.posted, filed)]
    sure = sum(asked.answer is not None for asked in memory.asked)
    unsure = sum(
        attempt.was_sent and attempt.code is None for asked in memory.asked for attempt in asked.attempts
    )
    if filed.tallied < sure:
        found.append(Broken(Promise.LOST, f"{sure - filed.tallied} of {sure} requests"))
    elif filed.tallied > sure + unsure:
        found.append(Broken(Promise.DOUBLED, f"{filed.tallied - sure - unsure} more than {sure} + {unsure}"))
    rows = Counter(row.unit for row in filed.rows)
    attempts = Counter(
        checker.hashing.unit(asked.unit) for asked in memory.asked for one in asked.attempts if one.was_sent
    )
    found += [
        Broken(Promise.DOUBLED, f"{times} rows of a user who asked {attempts[unit]} times")
        for unit, times in rows.items()
        if times > attempts[unit]
    ]
    arms = {checker.hashing.unit(asked.unit): asked.answer for asked in memory.asked}
    for row in filed.rows:
        answer = arms.get(row.unit)
        if answer is not None and answer.arm != SAYS.get(row.arm, row.arm) and attempts[row.unit] == 1:
            found.append(Broken(Promise.CHANGED, f"{answer.arm} is filed as {row.arm}", answer.ended_us))
    return found
