"""A report as Markdown: for a terminal, a pull request or a page of notes."""

from __future__ import annotations

import re

from rollout.domain.report import MetricLine, Report, percent
from rollout.render.words import moment, span

_MEANT = re.compile(r"([\\`*_{}\[\]<>|#])")


def markdown(found: Report) -> str:
    """Return the report; what stands in it is shown as it is, and never taken for a sign of Markdown's."""
    ended = found.ended_us
    lasted = "" if ended is None else f", ended {moment(ended)} after {span(found.started_us, ended)}"
    versions = f"Candidate {_plain(found.candidate)} beside baseline {_plain(found.baseline)}"
    about = f"{versions}; started {moment(found.started_us)}{lasted}"
    lines = [
        f"# {_plain(found.name)}: {found.phase}",
        "",
        f"**{_plain(found.answer)}**",
        "",
        *[line for trouble in found.troubles for line in (f"Right now, {_plain(trouble)}.", "")],
        f"{about}; owner {_plain(found.owner)}; run `{found.uid}`, revision {found.revision}.",
        "",
        "## What was measured",
        "",
        "| metric | role | question | finding | estimate | from | to |",
        "|---|---|---|---|--:|--:|--:|",
        *[_row(line) for line in found.metrics],
        "",
        *[f"- **{_plain(line.name)}**: {_plain(line.sentence)}" for line in found.metrics],
        "",
        "## What happened and why",
        "",
        *_left_out(found),
        "| when | what | why |",
        "|---|---|---|",
        *[f"| {moment(one.at_us)} | {_plain(one.what)} | {_plain(one.why)} |" for one in found.events],
        "",
    ]
    return "\n".join(lines)


def _row(line: MetricLine) -> str:
    point = line.last
    ends = (None, None, None) if point is None else (point.estimate, point.low, point.high)
    numbers = ["–" if end is None else percent(end, is_share=line.is_share) for end in ends]
    words = [_plain(line.name), line.role, _plain(line.question), line.finding.value]
    return f"| {' | '.join([*words, *numbers])} |"


def _left_out(found: Report) -> list[str]:
    return [f"{found.events_left_out} earlier events are left out here.", ""] if found.events_left_out else []


def _plain(text: str) -> str:
    return _MEANT.sub(r"\\\1", " ".join(text.split()))
