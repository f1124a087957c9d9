"""A report as one HTML file: no script, nothing loaded from elsewhere, light or dark as the reader has it."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from rollout.domain.report import Report, percent
from rollout.render.chart import chart
from rollout.render.template import filled
from rollout.render.words import moment, span

_TEMPLATE: Final = "report.html.jinja"


def html(found: Report) -> str:
    """Return the page."""
    # The pictures are our own: numbers and fixed words, nothing that a person wrote.
    pictures = {
        line.name: Markup(_apart(drawn, number))  # noqa: S704
        for number, line in enumerate(found.metrics)
        if (drawn := chart(line)) is not None
    }
    return filled(_TEMPLATE, report=found, pictures=pictures, moment=moment, span=span, percent=percent)


def _apart(drawn: str, number: int) -> str:
    """Return a picture whose ids are its own: several stand on one page."""
    return drawn.replace('id="clip', f'id="picture{number}-clip').replace("#clip", f"#picture{number}-clip")
