"""What all pictures have in common: their colours, and axes that suit a light page and a dark one."""

from __future__ import annotations

from typing import Final

import altair as alt

INK: Final = "currentColor"
# Blue and orange of middle lightness: told apart by the colour-blind, and on white and black alike.
BAND: Final = "#3b82f6"
AIM: Final = "#ea580c"


def config(label_size: int = 10) -> alt.Config:
    """Return how a picture looks that takes the page's own colour."""
    axis = alt.AxisConfig(
        labelColor=INK,
        labelFontSize=label_size,
        titleColor=INK,
        tickColor=INK,
        tickOpacity=0.4,
        domainColor=INK,
        domainOpacity=0.4,
        gridColor=INK,
        gridOpacity=0.12,
    )
    # The figure around it says what it shows; a label for each shape would only be noise.
    return alt.Config(aria=False, axis=axis, view=alt.ViewConfig(stroke=None), font="sans-serif")
