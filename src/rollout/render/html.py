"""A report as one HTML file: no script, nothing loaded from elsewhere, light or dark as the reader has it."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from rollout.domain.report import Report, percent
from rollout.render.chart import chart
from rollout.render.words import moment, span

_TEMPLATE: Final = "report.html.jinja"
_ENVIRONMENT: Final = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def html(found: Report) -> str:
    """Return the page."""
    source = files("rollout.render").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    # The pictures are our own: numbers and fixed words, nothing that a person wrote.
    pictures = {
        line.name: Markup(_apart(drawn, number))  # noqa: S704
        for number, line in enumerate(found.metrics)
        if (drawn := chart(line)) is not None
    }
    return _ENVIRONMENT.from_string(source).render(
        report=found, pictures=pictures, moment=moment, span=span, percent=percent
    )


def _apart(drawn: str, number: int) -> str:
    """Return a picture whose ids are its own: several stand on one page."""
    return drawn.replace('id="clip', f'id="picture{number}-clip').replace("#clip", f"#picture{number}-clip")
