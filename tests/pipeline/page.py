"""The section of the calibration page about the whole pipeline, between its own marks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from tests.calibration.page import number, verdict_of
from tests.calibration.trap import Finding, Kind
from tests.pipeline.shown import SHOWN
from tests.simulate import null_page

BEGIN, END = "<!-- pipeline: begin -->", "<!-- pipeline: end -->"
_HEAD: Final = ("trap", "world", "method", "kind", "value", "bar", "replicates", "verdict")
_INTRODUCTION: Final = (
    "The same traps as requests and outcomes of people whose buckets decide their arm: lines of Envoy's log,",
    "the recorder, segments, the intake, lake and counts, evidence, judge and decide; Envoy, HTTP and the",
    'clock are played. A replicate is one of fifty experiments of one log and one lake. "Ours" is what the',
    "product decided at any look (it goes on whatever it decided), held to its policy's own risk: 5 %",
    "for a wrong promotion, 1 % for a wrong rollback, 0.1 % for a mismatch. The wrong way is computed from",
    "the rows of the same lake, at more looks. The worlds are smaller than those above, as each says.",
)


def section(findings: Sequence[Finding]) -> str:
    """Return the section, with its marks."""
    failed = sum(not finding.passed for finding in findings)
    traps = len({finding.trap for finding in findings})
    held = f"In {traps} traps every mistake is caught and ours holds."
    verdict = held if failed == 0 else f"{failed} claims are not as required."
    lines = [
        BEGIN,
        "## Through the whole pipeline",
        "",
        *_INTRODUCTION,
        "",
        f"**{verdict}** `make calibrate ARGS=--pipeline` writes this section, the same numbers each time.",
        "",
        *_table(_HEAD, [_row(finding) for finding in findings]),
        "",
        "What each world is, and what of its trap the pipeline can show:",
        "",
        *(line for _, group in groupby(findings, key=attrgetter("trap")) for line in _told(list(group))),
        END,
    ]
    return "\n".join(lines) + "\n"


def _told(findings: Sequence[Finding]) -> list[str]:
    """Return a trap's lines: what is shown of it, and each of its worlds."""
    trap = findings[0]
    worlds = {_short(one.world): one.sentence for one in findings}
    return [
        f"- **{trap.trap}, {trap.trap_name}**: {SHOWN[trap.trap]}.",
        *(f"  - {world}: {sentence}" for world, sentence in worlds.items()),
    ]


def kept(page: str) -> str:
    """Return the section as a page has it, to be written again after the rest; nothing where it has none."""
    return null_page.kept(page, BEGIN, END)


def with_section(page: str, written: str) -> str:
    """Return a page with this section in place of the one it had, or before that of whole policies."""
    before, _, after = page.partition(null_page.BEGIN) if BEGIN not in page else (page, "", "")
    found = null_page.with_section(before, written, BEGIN, END)
    return found if not after else f"{found}\n{null_page.BEGIN}{after}"


def _row(finding: Finding) -> tuple[str, ...]:
    is_judged = finding.kind is not Kind.SHOWN
    return (
        str(finding.trap),
        _short(finding.world),
        finding.claim,
        finding.kind.value,
        number(finding.value, finding.measure),
        number(finding.bar, finding.measure) if is_judged else "",
        f"{finding.replicates:,}",
        verdict_of(finding),
    )


def _short(world: str) -> str:
    return world.removeprefix("pipeline: ")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
