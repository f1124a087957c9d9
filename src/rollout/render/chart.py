"""An interval over time as a picture: SVG that takes the page's own colour, so it is seen on any ground."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import vl_convert

from rollout.domain.report import MetricLine, Point
from rollout.render.paint import AIM, BAND, config

WIDTH: Final = 640
HEIGHT: Final = 150
_LEAST_POINTS: Final = 2
_HOUR_US: Final = 3_600_000_000


def chart(line: MetricLine) -> str | None:
    """Return the picture of a metric, or None while there is too little to draw."""
    closed = [point for point in line.points if point.low is not None and point.high is not None]
    if len(closed) < _LEAST_POINTS:
        return None
    rows = [
        {"at": point.at_us / 1000, "low": point.low, "high": point.high, "estimate": point.estimate}
        for point in closed
    ]
    time = alt.X(
        "at:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(tickCount=6, grid=False, format=_ticks(closed)),
    )
    scale = alt.Scale(domain=list(_domain(line)), clamp=True, nice=True)
    axis = alt.Axis(format=".1%" if line.is_share else "+.1%", tickCount=5)
    low = alt.Y("low:Q", title="share" if line.is_share else "lift", scale=scale, axis=axis)
    base = alt.Chart(_inline(rows))
    band = base.mark_area(color=BAND, opacity=0.3, clip=True).encode(x=time, y=low, y2="high:Q")
    best = base.mark_line(color=BAND, strokeWidth=2, clip=True).encode(x=time, y=alt.Y("estimate:Q"))
    aim = (
        alt.Chart(_inline([{"aim": line.aim}]))
        .mark_rule(color=AIM, strokeDash=[6, 4], strokeWidth=2)
        .encode(y=alt.Y("aim:Q"))
    )
    layers = [band, best] if line.aim is None else [band, best, aim]
    drawn = alt.LayerChart(
        layer=layers, width=WIDTH, height=HEIGHT, background="transparent", config=config()
    )
    return str(vl_convert.vegalite_to_svg(drawn.to_dict()))


def _ticks(points: list[Point]) -> str:
    """Return how times are written, so that two ticks beside each other differ."""
    lasted_us = points[-1].at_us - points[0].at_us
    if lasted_us < _HOUR_US:
        return "%H:%M:%S"
    return "%d %b %H:%M" if lasted_us < 3 * 24 * _HOUR_US else "%d %b"


def _domain(line: MetricLine) -> tuple[float, float]:
    """Return what the picture shows: the later half in full; the wide beginning is cut off."""
    later = line.points[len(line.points) // 2 :]
    seen = [end for point in later for end in (point.low, point.high) if end is not None]
    seen += [] if line.aim is None else [line.aim]
    if not line.is_share:
        seen.append(0.0)
    room = 0.1 * (max(seen) - min(seen)) or 0.01
    return (max(min(seen) - room, 0.0) if line.is_share else min(seen) - room), max(seen) + room


def _inline(rows: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=rows)
