"""A plan as one HTML file: no script, nothing loaded from elsewhere, light or dark as the reader has it."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from rollout.domain.plan.plan import Plan
from rollout.render.plan_chart import plan_chart
from rollout.render.plan_words import READING, tables
from rollout.render.template import filled

_TEMPLATE: Final = "plan.html.jinja"


def plan_page(plan: Plan, findings: list[str]) -> str:
    """Return the page; `findings` are the plan's advice, worded with the places in the file."""
    drawn = plan_chart(plan)
    return filled(
        _TEMPLATE,
        plan=plan,
        # The picture is our own; the names in it are text, which its library escapes.
        picture=None if drawn is None else Markup(drawn),  # noqa: S704
        tables=tables(plan),
        findings=findings,
        reading=READING if plan.promotes else (),
    )
