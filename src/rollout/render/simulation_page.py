"""A simulation as one HTML file: no script, nothing loaded from elsewhere, light or dark."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from rollout.render.simulation_chart import simulation_chart
from rollout.render.simulation_words import READING, answer, ends, harm, lacking, reasons, setting
from rollout.simulation.result import Result

_TEMPLATE: Final = "simulation.html.jinja"
_ENVIRONMENT: Final = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def simulation_page(result: Result) -> str:
    """Return the page."""
    source = files("rollout.render").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    course = result.simulated.course
    return _ENVIRONMENT.from_string(source).render(
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
