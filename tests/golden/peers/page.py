"""docs/peers.md: how closely our own code agrees with every peer, as orders of magnitude."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.golden.peers.exchange import ORACLE, SAME, SAME_BOUND, Case
from tests.golden.peers.ours import disagreement

PAGE: Final = Path(__file__).parents[3] / "docs" / "peers.md"
_FINEST: Final = -12
_HEAD: Final = """\
# Peers: who else computes these numbers, and how closely we agree

<!-- Written by `make peers` (or `python -m tests.golden.peers --write-docs`); do not edit. -->

`make peers` builds environments of their own (`.venv-peers`, from hashed locks; one package is compiled
from source, so a C++ compiler is needed), asks every package below, and keeps the answers beside their
inputs in `tests/golden/peers/cases.json`. The tests compare `rollout.stats` with that file: they need no
peer. `make peers ARGS=--check` asks again and compares without writing.

"""
_WORDS: Final = f"""\
Disagreement is the largest relative difference among a family's cases, rounded up (to a power of ten, and
not below 1e-12, where the formula is the same; else to one digit); an absolute difference of 1e-12 counts
as agreement, because some logarithms are exactly 0. Where the formula is the same it must stay within
{SAME_BOUND:g}. An *oracle* evaluates the printed formula in sixty digits: it proves our arithmetic, not our
choice of formula, and is counted apart.

What the peers share with us: confseq computes with Boost, ddsketch in plain Python and the oracle with its
own digits; the others rest on numpy and scipy, as we do, and so prove formulas rather than special functions.

"""
_TAIL: Final = """\

## Without a peer

Many starts (the union bound over weights that sum to less than 1), unit windows, the environment rule,
the variance floor as a rule, the tuning of the one-sample tests on units, and the factor by which a
sequential plan exceeds a fixed one are this project's own choices: their proof is the calibration
(`make calibrate`) and the property tests. Where the floor is shown above, the peer supplies the variances
and the rule is ours.
"""


def rendered(cases: Sequence[Case]) -> str:
    """Return the whole page."""
    gaps = {case.key: disagreement(case) for case in cases}
    independent = sum(case.authority != ORACLE for case in cases)
    count = f"**{independent} cases by peers or in print, {len(cases) - independent} by an oracle.**\n\n"
    return _HEAD + count + _WORDS + _families(cases, gaps) + _bounded(cases, gaps) + _peers(cases) + _TAIL


def _families(cases: Sequence[Case], gaps: dict[str, float]) -> str:
    rows = []
    for family in dict.fromkeys(case.family for case in cases):
        mine = [case for case in cases if case.family == family]
        same = [case for case in mine if case.relation == SAME]
        rest = [case for case in mine if case.relation != SAME]
        peers = ", ".join(
            f"{peer} {_count(mine, peer)}" for peer in dict.fromkeys(case.peer for case in mine)
        )
        rows.append((family, str(len(same)), _worst(same, gaps), str(len(rest)), _worst(rest, gaps), peers))
    titles = ("Family", "Same formula", "Worst", "Bounded", "Worst", "Cases by")
    return "## By family\n\n" + _table(titles, rows)


def _bounded(cases: Sequence[Case], gaps: dict[str, float]) -> str:
    rows = [
        (
            f"{case.family}: {case.name}",
            case.peer,
            _rounded_up(gaps[case.key]),
            f"{case.bound:g}",
            case.reason,
        )
        for case in cases
        if case.relation != SAME
    ]
    titles = ("Case", "Peer", "Disagreement", "Bound", "Reason")
    return "\n## Where the formula differs\n\n" + _table(titles, rows)


def _peers(cases: Sequence[Case]) -> str:
    rows = []
    for peer in sorted({case.peer for case in cases}):
        mine = [case for case in cases if case.peer == peer]
        sources = "; ".join(sorted({case.source for case in mine}))
        rows.append((peer, mine[0].peer_version, mine[0].authority, str(len(mine)), sources))
    return "\n## Peers\n\n" + _table(("Peer", "Version", "Counts as", "Cases", "Asked"), rows)


def _count(cases: Sequence[Case], peer: str) -> int:
    return sum(case.peer == peer for case in cases)


def _worst(cases: Sequence[Case], gaps: dict[str, float]) -> str:
    return _rounded_up(max(gaps[case.key] for case in cases)) if cases else "–"


def _rounded_up(gap: float) -> str:
    """Return a power of ten where the formula is the same, else one digit: no machine flips either."""
    if gap <= SAME_BOUND:
        power = _FINEST if gap == 0 else max(_FINEST, math.ceil(math.log10(gap)))
        return f"≤ 1e{power}"
    power = math.floor(math.log10(gap))
    return f"≤ {math.ceil(gap / 10.0**power) * 10.0**power:.0e}"


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
