"""Writes the calibration page: one line per trap, then every world, then how fast the tests decide."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from itertools import groupby

from tests.calibration.running import Run
from tests.calibration.study import Table
from tests.calibration.trap import SEED, Finding, Kind, Measure

_INTRODUCTION = """\
# Calibration

Does every method keep the error rate it promises, to a reader who looks after every batch and stops when
it suits? Each trap below is a world in which nothing is wrong with the candidate (or nothing new), and a
mistake that is easy to make there. The mistake has to be caught: its rate must lie above the bar. Ours must
stay within it, and within 1/400 at the bar that decisions use. The bar is the promised rate plus three
Monte-Carlo standard errors at that rate.

{verdict}

Methods are named by family: (a) means, (b) label test of rare events, (c) absolute limits, (e) sample ratio,
(f) ratio metrics, (g) many starts; [statistics](statistics.md) has their formulas. "Shown" requires nothing.

`make calibrate` writes this page and its chart; the same seeds give the same bytes. All methods of a world
judge the same draws. A world's seed is the entropy and the spawn key of its `numpy.random.SeedSequence`;
each batch of replicates adds its number to the key, so more replicates continue the same sequence. ± is one
standard error; where nothing was seen, the rate is below 3 in the number of replicates (95 % confidence).

![Rates of the wrong ways and of ours, by trap](calibration.svg)
"""
# Nothing seen in R replicates: the rate is below 3/R with 95 % confidence.
_NONE_SEEN = 3.0
_OVERVIEW_HEAD = ("trap", "mistake", "wrong way", "ours, worst", "at 400, worst", "bar", "replicates", "held")
_DETAIL_HEAD = ("method", "kind", "value", "bar", "replicates", "verdict")


def written(found: Run) -> str:
    """Return the whole page as Markdown."""
    failed = sum(not finding.passed for finding in found.findings)
    traps = len({finding.trap for finding in found.findings})
    held = f"**In {traps} of {traps} traps every mistake is caught and ours holds.**"
    verdict = held if failed == 0 else f"**{failed} claims are not as required.**"
    parts = [_INTRODUCTION.format(verdict=verdict), _overview(found.findings), "## Every world\n"]
    parts += [_detail(list(group)) for _, group in groupby(found.findings, key=lambda finding: finding.trap)]
    if found.tables:
        parts += ["## How fast\n", *(_study(table) for table in found.tables)]
    return "\n".join(parts)


def verdict_of(finding: Finding) -> str:
    """Return what a reader has to know: caught, held, shown, or which promise is broken."""
    if finding.required == "none":
        return "shown"
    if finding.kind is Kind.WRONG:
        return "caught" if finding.passed else "**not caught**"
    return "held" if finding.passed else "**broken**"


def number(value: float, measure: Measure) -> str:
    """Return a value as a reader wants it: a percentage with enough digits, or a factor."""
    if measure is Measure.DELAY_RATIO:
        return f"{value:.1f}×"
    percent = 100.0 * value
    return (
        f"{percent:.0f} %"
        if percent >= 99.95 or percent == 0
        else f"{percent:.{1 if percent >= 10 else 2}f} %"
    )


def _overview(findings: Sequence[Finding]) -> str:
    rows = []
    for trap, group in groupby(findings, key=lambda finding: finding.trap):
        own = list(group)
        wrong = [one for one in own if one.kind is Kind.WRONG]
        held = [one for one in own if one.kind is Kind.OURS]
        used = [one for one in own if one.kind is Kind.OURS_AT_400]
        replicates = _span(sorted({one.replicates for one in own}))
        passed = "yes" if all(one.passed for one in own) else "**no**"
        bars = sorted({number(one.bar, one.measure) for one in held})
        row = (
            str(trap),
            own[0].trap_name,
            _range(wrong),
            _worst(held),
            _worst(used),
            ", ".join(bars),
            replicates,
            passed,
        )
        rows.append(row)
    return _markdown(_OVERVIEW_HEAD, rows)


def _detail(findings: Sequence[Finding]) -> str:
    parts = [f"### {findings[0].trap}. {findings[0].trap_name.capitalize()}\n"]
    for world, group in groupby(findings, key=lambda finding: finding.world):
        own = list(group)
        seed = f"{SEED}, ({own[0].trap}, {zlib.crc32(world.encode())})"
        parts.append(f"**{world}** (seed {seed}): {own[0].sentence}\n")
        parts.append(_markdown(_DETAIL_HEAD, [_detail_row(finding) for finding in own]))
    return "\n".join(parts)


def _detail_row(finding: Finding) -> tuple[str, ...]:
    value = number(finding.value, finding.measure)
    if finding.value > 0:
        value += f" ± {number(finding.standard_error, finding.measure)}"
    elif finding.measure is Measure.RATE:
        value += f" (below {number(_NONE_SEEN / finding.replicates, finding.measure)})"
    bar = "" if finding.kind is Kind.SHOWN else number(finding.bar, finding.measure)
    return (finding.claim, finding.kind.value, value, bar, f"{finding.replicates:,}", verdict_of(finding))


def _study(table: Table) -> str:
    return f"### {table.title}\n\n{table.sentence}\n\n{_markdown(table.head, table.rows)}"


def _range(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    low, high = (pick(findings, key=lambda one: one.value) for pick in (min, max))
    ends = [number(one.value, one.measure) for one in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _worst(findings: Sequence[Finding]) -> str:
    """Return the value that comes nearest to its own bar."""
    if not findings:
        return ""
    worst = max(findings, key=lambda one: one.value / one.bar)
    return number(worst.value, worst.measure)


def _span(values: Sequence[int]) -> str:
    return f"{values[0]:,}" if values[0] == values[-1] else f"{values[0]:,} to {values[-1]:,}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
