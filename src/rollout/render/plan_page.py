"""A plan as one HTML file: no script, nothing loaded from elsewhere, light or dark as the reader has it."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from rollout.domain.plan.plan import Plan
from rollout.render.plan_chart import plan_chart
from rollout.render.plan_words import READING, tables

_TEMPLATE: Final = "plan.html.jinja"
_ENVIRONMENT: Final = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def plan_page(plan: Plan, findings: list[str]) -> str:
    """Return the page; `findings` are the plan's advice, worded with the places in the file."""
    source = files("rollout.render").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    drawn = plan_chart(plan)
    return _ENVIRONMENT.from_string(source).render(
        plan=plan,
        # The picture is our own; the names in it are text, which its library escapes.
        picture=None if drawn is None else Markup(drawn),  # noqa: S704
        tables=tables(plan),
        findings=findings,
        reading=READING if plan.promotes else (),
    )
