"""A simulation as one HTML file: no script, nothing loaded from elsewhere, light or dark."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from rollout.render.simulation_chart import simulation_chart
from rollout.render.simulation_words import READING, answer, ends, harm, lacking, reasons, setting
from rollout.render.template import filled
from rollout.simulation.result import Result

_TEMPLATE: Final = "simulation.html.jinja"


def simulation_page(result: Result) -> str:
    """Return the page."""
    course = result.simulated.course
    return filled(
        _TEMPLATE,
        policy=course.policy,
        scenario=course.scenario,
        answer=answer(result),
        lacking=lacking(result),
        setting=setting(result),
        # The picture is our own: numbers and fixed words, nothing that a person wrote.
        picture=Markup(simulation_chart(result)),  # noqa: S704
        tables={"How it ends": ends(result), "Why": reasons(result)},
        harm=harm(result),
        reading=READING,
    )
