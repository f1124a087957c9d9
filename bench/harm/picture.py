"""The runs as a picture: a dot for each, from the first bad answer to the weight zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import vl_convert

from bench.harm.bounds import bounds_of
from bench.harm.checkers import CHECKERS
from bench.harm.table import Measured
from rollout.render.paint import AIM, BAND, INK, config

_WIDTH: Final = 560
_ROW: Final = 20
_OURS: Final = "this program"
_PEERS: Final = "threshold checkers, over the same answers"
_TICKS_S: Final = (0.5, 1, 2, 5, 10, 20, 60, 300, 1_200)


def drawn(found: Sequence[Measured]) -> str:
    """Return the picture as SVG text that takes the page's own colour."""
    return str(vl_convert.vegalite_to_svg(_chart(found).to_dict()))


def _chart(found: Sequence[Measured]) -> alt.LayerChart:
    dots = [dot for one in found for dot in _dots(one)]
    bounds = [
        {"row": _row(one, _OURS), "seconds": bound.seconds}
        for one in found
        for bound in bounds_of(one.setting)
    ]
    row = alt.Y("row:N", sort=_rows(found), title=None, axis=_axis_of_rows())
    seconds = alt.X(
        "seconds:Q",
        title="seconds from the first bad answer to the weight zero (logarithmic)",
        scale=alt.Scale(type="log", domain=[0.4, 1_800]),
        axis=alt.Axis(values=list(_TICKS_S), format="~g"),
    )
    colours = alt.Scale(domain=[_OURS, _PEERS], range=[BAND, AIM])
    legend = alt.Legend(title=None, orient="top", labelColor=INK, labelLimit=400)
    points = (
        alt.Chart(_inline(dots))
        .mark_circle(size=48, opacity=0.6)
        .encode(x=seconds, y=row, color=alt.Color("who:N", scale=colours, legend=legend))
    )
    ticks = (
        alt.Chart(_inline(bounds)).mark_tick(color=INK, thickness=2, size=_ROW - 6).encode(x=seconds, y=row)
    )
    return alt.LayerChart(
        layer=[ticks, points], width=_WIDTH, height=alt.Step(_ROW), background="transparent", config=config()
    )


def _rows(found: Sequence[Measured]) -> list[str]:
    """Return the rows in their order: at each step this program's, then each checker's."""
    steps = dict.fromkeys(one.setting.weight for one in found)
    at = {step: [one for one in found if one.setting.weight == step] for step in steps}
    return [
        row
        for here in at.values()
        for row in [
            *(_row(one, _OURS) for one in here),
            *(_row(here[0], checker.name) for checker in CHECKERS),
        ]
    ]


def _axis_of_rows() -> alt.Axis:
    return alt.Axis(labelLimit=420, grid=True)


def _dots(one: Measured) -> Iterator[dict[str, Any]]:
    """Yield a dot for each run, and for each checker in it: the median of its phases."""
    for course in one.courses:
        yield {"row": _row(one, _OURS), "seconds": course.total_s, "who": _OURS}
    for checker in CHECKERS:
        every = (course.by_checkers.get(checker.name) for course in one.courses)
        for found in filter(None, every):
            after_s = float(np.median([each.after_s for each in found]))
            yield {"row": _row(one, checker.name), "seconds": after_s, "who": _PEERS}


def _row(one: Measured, who: str) -> str:
    return f"{one.setting.told}: {who}" if who == _OURS else f"{one.setting.weight:.0%}: {who}"


def _inline(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))
