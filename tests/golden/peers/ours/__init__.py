"""Our own answer to every kind of question: rollout.stats, called in the peers' parametrisation."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import Case, Inputs, Solver
from tests.golden.peers.ours import adjusted, counts, means, plans

SOLVERS: Final[dict[str, Solver]] = {**means.SOLVERS, **adjusted.SOLVERS, **counts.SOLVERS, **plans.SOLVERS}
# An absolute error of 1e-12 is agreement too: some e-values are 1 exactly, and their logarithm 0.
_SMALLEST_SCALE: Final = 1e-3


def disagreement(case: Case) -> float:
    """Return the largest relative difference between a golden case and our own answer."""
    ours = SOLVERS[case.kind](Inputs(case.inputs))
    if ours.keys() < case.expected.keys():
        raise KeyError(f"{case.key}: our answer lacks {sorted(case.expected.keys() - ours.keys())}")
    return max(
        abs(ours[name] - value) / max(abs(value), _SMALLEST_SCALE) for name, value in case.expected.items()
    )
