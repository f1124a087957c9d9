"""What deciding costs, beside judging the same look and writing it down: `python -m bench.decisions`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bench import timing
from rollout.controller.looks import Album, Look
from rollout.domain.decide import decide
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge
from rollout.domain.verdict import Judgement
from rollout.ports import Standing
from rollout.store.ledger_json import written
from tests.domain.lives import TWO, WATCHING, two
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, evidence

ROUNDS: Final = 25
BUDGET_US: Final = 20.0
REFERENCE: Final = "judging one look"
EARLY: Final = replace(EXPERIMENT, step=1, step_entered_us=NOW_US - HOUR_US)


@dataclass(frozen=True, slots=True)
class Row:
    """One contender: microseconds for one look."""

    name: str
    microseconds: float


def table() -> list[Row]:
    """Measure one decision of each kind, what follows from it, and what it stands beside."""
    seen = evidence()
    proven = judge(EXPERIMENT, seen, NOW_US, Patience())
    unproven = judge(EXPERIMENT, evidence(converted=0.12), NOW_US, Patience())
    harmed = judge(EXPERIMENT, evidence(errors=0.2), NOW_US, Patience())
    decision = decide(EXPERIMENT, proven, None, NOW_US)
    after = evolve(EXPERIMENT, proven, decision, NOW_US)
    entry = Album().entry(Standing(EXPERIMENT, 1), after, decision, Look(NOW_US, proven, NOW_US))
    calls: dict[str, Callable[[], object]] = {
        REFERENCE: lambda: judge(EXPERIMENT, seen, NOW_US, Patience()),
        "deciding: everything is proven": _deciding(EXPERIMENT, proven),
        "deciding: the goal is not proven yet": _deciding(EXPERIMENT, unproven),
        "deciding: the step is not over": _deciding(EARLY, proven),
        "deciding: harm": _deciding(EXPERIMENT, harmed),
        "deciding: during the watch": _deciding(WATCHING, proven),
        "deciding: two candidates are proven": _deciding(TWO, two()),
        "the state that follows": lambda: evolve(EXPERIMENT, proven, decision, NOW_US),
        "state and entry as JSON": lambda: (written(after), written(entry)),
    }
    found = timing.fastest(calls, ROUNDS)
    return [Row(name, seconds * 1e6) for name, seconds in found.items()]


def _deciding(experiment: Experiment, judgement: Judgement) -> Callable[[], object]:
    return lambda: decide(experiment, judgement, None, NOW_US)


def lines(rows: list[Row]) -> list[str]:
    """Return the table, each row beside the judging of one look in the same run."""
    reference = next(row.microseconds for row in rows if row.name == REFERENCE)
    slowest = max(row.microseconds for row in rows if row.name.startswith("deciding"))
    kept = "is kept" if slowest <= BUDGET_US else "is not kept"
    return [
        f"The slowest decision takes {slowest:.1f} µs; the budget of {BUDGET_US:.0f} µs {kept}.",
        "",
        "| of one look | µs | of judging it |",
        "|---|---:|---:|",
        *(f"| {row.name} | {row.microseconds:,.1f} | {row.microseconds / reference:.2%} |" for row in rows),
    ]


if __name__ == "__main__":
    print("\n".join(lines(table())))
