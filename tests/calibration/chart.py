"""Draws the calibration chart: for each trap the wrong ways and ours as dots, and the bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import vl_convert

from tests.calibration.trap import Finding, Kind, Measure

_COLOURS: Final = {Kind.WRONG: "#c2410c", Kind.OURS: "#1d4ed8"}
_NAMES: Final = {Kind.WRONG: "the wrong way", Kind.OURS: "ours"}
_TICKS: Final = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
_ROW: Final = 20
_USUAL_ALPHA: Final = 0.05
_WIDTH: Final = 620


def drawn(findings: Sequence[Finding]) -> str:
    """Return the chart as SVG text; only rates are drawn, so a trap that is a delay has no dot."""
    return str(vl_convert.vegalite_to_svg(_chart(findings).to_dict()))


def _chart(findings: Sequence[Finding]) -> alt.LayerChart:
    rates = [one for one in findings if one.measure is Measure.RATE and one.kind in _NAMES]
    dots = [{"trap": _label(one), "rate": one.value, "method": _NAMES[one.kind]} for one in rates]
    bars = [{"trap": _label(one), "rate": one.bar} for one in rates if one.kind is Kind.OURS]
    order = list(dict.fromkeys(_label(one) for one in sorted(rates, key=lambda one: (one.trap, -one.level))))
    row = alt.Y("trap:N", sort=order, title=None, axis=alt.Axis(labelLimit=340, grid=True))
    rate = alt.X(
        "rate:Q",
        title="rate of false verdicts, any look (square-root scale)",
        scale=alt.Scale(type="sqrt", domain=[0, 1]),
        axis=alt.Axis(format="%", values=list(_TICKS)),
    )
    colours = alt.Scale(domain=list(_NAMES.values()), range=list(_COLOURS.values()))
    colour = alt.Color("method:N", scale=colours, legend=alt.Legend(title=None, orient="top"))
    points = alt.Chart(_inline(dots)).mark_circle(size=64, opacity=0.75).encode(x=rate, y=row, color=colour)
    ticks = (
        alt.Chart(_inline(bars)).mark_tick(color="black", thickness=2, size=_ROW - 4).encode(x=rate, y=row)
    )
    title = alt.Title(
        "Wrong ways are caught, ours holds",
        subtitle="black: the bar, alpha + 3 standard errors; trap 24 is a ratio of delays, in the table",
    )
    return alt.LayerChart(layer=[ticks, points], width=_WIDTH, height=alt.Step(_ROW), title=title)


def _label(finding: Finding) -> str:
    usual = f"{finding.trap}  {finding.trap_name}"
    return usual if finding.level == _USUAL_ALPHA else f"{usual}, alpha {finding.level}"


def _inline(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))
