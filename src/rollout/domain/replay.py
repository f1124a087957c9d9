"""A recorded decision, computed once more from what it rests on, and compared with what was recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Final

from rollout.domain.basis import Basis
from rollout.domain.decide import decide
from rollout.domain.evolve import evolve
from rollout.domain.history import Entry
from rollout.domain.judge import judge
from rollout.domain.verdict import Judgement

LAST_DIGITS: Final = 1e-9
"""Numbers that are so near each other were rounded by other processors; no bar is compared so finely."""
_WORDS: Final = frozenset({"why", "held_by"})
"""Sentences for people: a newer program may word the same thing otherwise."""
_ABSENT: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that came out otherwise, as text."""

    field: str
    recorded: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What recomputing an entry came to."""

    differences: tuple[Difference, ...]
    """What should be the same and is not: a defect, a newer judge, or a record that was changed."""
    trifles: tuple[Difference, ...]
    """What means the same: the last digits of a number, or a newer program's wording."""
    recorded_by: str
    recomputed_by: str
    """The versions of the two programs."""

    @property
    def agrees(self) -> bool:
        """Whether the same was decided, for the same reasons, with the same consequence."""
        return not self.differences

    @property
    def is_same_program(self) -> bool:
        """Whether the program that recomputed it has the version of the one that decided."""
        return self.recorded_by == self.recomputed_by


def replay(entry: Entry, basis: Basis, previous: Entry | None, *, program: str) -> Replayed:
    """Recompute an entry from its basis alone; `previous` is the run's entry before it, if there is one."""
    judgement = _judged(entry, basis, previous)
    decision = decide(basis.before, judgement, None if basis.job is None else basis.job.state, entry.at_us)
    after = evolve(basis.before, judgement, decision, entry.at_us)
    # The policy is one for all of them: it stands beside the revision, under its own digest.
    found = (
        ("judgement", entry.judgement, judgement),
        ("decision", entry.decision, decision),
        ("state", replace(basis.after, policy=entry.policy), replace(after, policy=entry.policy)),
        ("phase", entry.phase, after.phase),
        ("step", entry.step, after.step),
        ("revision", entry.revision, after.revision),
        ("policy", entry.policy, after.policy),
        ("watermark_us", entry.watermark_us, _watermark_us(basis, previous)),
    )
    is_same_program = basis.program == program
    differing, trifles = list[Difference](), list[Difference]()
    for name, recorded, recomputed in found:
        for one, is_trifle in _compared(name, recorded, recomputed, may_reword=not is_same_program):
            (trifles if is_trifle else differing).append(one)
    return Replayed(tuple(differing), tuple(trifles), basis.program, program)


def _judged(entry: Entry, basis: Basis, previous: Entry | None) -> Judgement:
    """Return what the look says; where nothing was measured, what the entry before it said."""
    if basis.evidence is None:
        return entry.judgement if previous is None else previous.judgement
    seen = judge(basis.before, basis.evidence, entry.at_us, basis.patience)
    return replace(seen, traffic_is_live=basis.traffic_is_live, window_is_open=basis.window_is_open)


def _watermark_us(basis: Basis, previous: Entry | None) -> int | None:
    if basis.evidence is None:
        return None if previous is None else previous.watermark_us
    return basis.evidence.watermark_us


def _compared(
    name: str, recorded: object, recomputed: object, *, may_reword: bool
) -> Iterator[tuple[Difference, bool]]:
    """Return each field that differs, and whether it means the same."""
    before, after = dict(_leaves(name, recorded)), dict(_leaves(name, recomputed))
    for field in sorted(before.keys() | after.keys()):
        old, new = before.get(field, _ABSENT), after.get(field, _ABSENT)
        if _is_same(old, new):
            continue
        is_trifle = _is_near(old, new) or (may_reword and field.rpartition(".")[2] in _WORDS)
        yield Difference(field, _shown(old), _shown(new)), is_trifle


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Return every number, text and truth in a value, with its place; an empty collection is one too."""
    parts: Iterator[tuple[str, object]]
    match value:
        case Mapping() if value:
            parts = ((f"{path}.{name}", part) for name, part in value.items())
        case tuple() if value:
            parts = ((f"{path}[{number}]", part) for number, part in enumerate(value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = ((f"{path}.{field.name}", getattr(value, field.name)) for field in fields(value))
        case _:
            yield path, value
            return
    for place, part in parts:
        yield from _leaves(place, part)


def _is_same(old: object, new: object) -> bool:
    if isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new):
        return True
    return old == new


def _is_near(old: object, new: object) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return math.isclose(old, new, rel_tol=LAST_DIGITS, abs_tol=LAST_DIGITS)
    return False


def _shown(value: object) -> str:
    return str(value.name) if isinstance(value, Enum) else str(value)
