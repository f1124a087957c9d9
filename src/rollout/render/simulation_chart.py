"""A simulation as a picture: how the lives end by and by under each rule, and what each sees of one life."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import vl_convert

from rollout.render.paint import AIM, BAND, INK, config
from rollout.simulation.ending import Moment, Outcome
from rollout.simulation.result import Result

_PANEL: Final = 300
_HEIGHT: Final = 190
_GAP: Final = 40
_TITLES: Final = ("This policy", "The naive test, looked at as often")
_POINTS: Final = 120
_UNITS: Final = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0), ("seconds", 1.0))
_LEAST_IN_VIEW: Final = 2.0
_HARMFUL: Final = "promoted while harmful"
_COLORS: Final = {
    "promoted": BAND,
    _HARMFUL: AIM,
    "rolled back": "#64748b",
    "paused": "#a8a29e",
    "over": "#d6d3d1",
}
_NAMES: Final = {
    Outcome.PROMOTED: "promoted",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.PAUSED: "paused",
    Outcome.STOPPED: "over",
}
_CLIP: Final = re.compile(r"\bclip(\d+)\b")
_LINES: Final = {"the naive pot": AIM, "ours": BAND, "the truth": INK}


@dataclass(frozen=True, slots=True)
class _End:
    """When a life ended under one rule, and what it is called."""

    at_s: float
    name: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """The time that both panels show, and its unit."""

    end_s: float
    unit: str
    size: float

    def axis(self, *, is_titled: bool = True) -> alt.X:
        """Return the axis of time."""
        title = f"{self.unit} since the start" if is_titled else None
        scale = alt.Scale(domain=[0.0, self.end_s / self.size], nice=False)
        return alt.X("at:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6, grid=False))


def simulation_chart(result: Result) -> str:
    """Return the picture as SVG."""
    endings = result.simulated.endings
    ours = [
        _End(one.at_s, _name(one.outcome, was_harmful=one.was_harmful))
        for one in endings
        if one.outcome in _NAMES
    ]
    theirs = [
        _End(one.naive.at_s, _name(one.naive.outcome, was_harmful=one.naive.was_harmful))
        for one in endings
        if one.naive is not None and one.naive.at_s is not None
    ]
    frame = _frame([one.at_s for one in endings])
    names = [name for name in _COLORS if any(end.name == name for end in (*ours, *theirs))]
    panels = [_panel(ours, len(endings), frame, names, _TITLES[0])]
    if result.naive is not None:
        panels.append(_panel(theirs, len(endings), frame, names, _TITLES[1]))
    rows: list[Any] = [alt.HConcatChart(hconcat=panels, spacing=_GAP)]
    if len(result.simulated.moments) > 1:
        moments = result.simulated.moments
        rows.append(_one_life(moments, _frame([one.at_s for one in moments])))
    drawn = alt.VConcatChart(
        vconcat=rows,
        spacing=_GAP // 2,
        background="transparent",
        config=config(),
        resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent")),
    )
    return _named_alike(str(vl_convert.vegalite_to_svg(drawn.to_dict())))


def _named_alike(drawn: str) -> str:
    """Return a picture whose ids do not depend on what was drawn before it in the same process."""
    numbers: dict[str, int] = {}
    return _CLIP.sub(lambda found: f"clip-{numbers.setdefault(found[1], len(numbers))}", drawn)


def _name(outcome: Outcome, *, was_harmful: bool) -> str:
    return _HARMFUL if was_harmful else _NAMES[outcome]


def _frame(times_s: Sequence[float]) -> _Frame:
    end_s = max(times_s)
    unit, size = next((pair for pair in _UNITS if end_s >= _LEAST_IN_VIEW * pair[1]), _UNITS[-1])
    return _Frame(end_s, unit, size)


def _panel(ends: list[_End], lives: int, frame: _Frame, names: list[str], title: str) -> alt.Chart:
    """Return which share of the lives has ended how, by and by."""
    is_first, values = title == _TITLES[0], []
    for order, name in enumerate(names):
        times_s = sorted(end.at_s for end in ends if end.name == name)
        for point in range(_POINTS + 1):
            now_s = frame.end_s * point / _POINTS
            share = bisect_right(times_s, now_s) / lives
            values.append({"at": now_s / frame.size, "end": name, "order": order, "share": share})
    axis = alt.Axis(format=".0%", tickCount=5, labels=is_first)
    panel: alt.Chart = (
        alt.Chart(
            alt.InlineData(values=values),
            title=_title(title),
            width=_PANEL,
            height=_HEIGHT,
        )
        .mark_area(interpolate="step-after", opacity=0.85)
        .encode(
            x=frame.axis(),
            y=alt.Y(
                "share:Q",
                stack="zero",
                title="lives that have ended" if is_first else None,
                scale=alt.Scale(domain=[0, 1]),
                axis=axis,
            ),
            color=alt.Color(
                "end:N",
                title=None,
                scale=alt.Scale(domain=names, range=[_COLORS[name] for name in names]),
                legend=_legend("square"),
            ),
            order=alt.Order("order:Q"),
        )
    )
    return panel


def _title(text: str) -> alt.TitleParams:
    return alt.TitleParams(text=text, anchor="start", frame="group", color=INK, fontSize=14)


def _legend(symbol: str) -> alt.Legend:
    return alt.Legend(orient="bottom", labelColor=INK, labelFontSize=12, labelLimit=240, symbolType=symbol)


def _one_life(moments: Sequence[Moment], frame: _Frame) -> alt.LayerChart:
    """Return the goal's lift in the first life: as it is, in the naive pot, and ours with its interval."""
    shown = moments[:: max(1, len(moments) // (2 * _POINTS))]
    axis, scale = frame.axis(), alt.Scale(domain=list(_reach(moments)), nice=True)
    lift = alt.Y("low:Q", title="lift of the goal", scale=scale, axis=alt.Axis(format="+.1%", tickCount=5))
    band_rows = [
        {"at": one.at_s / frame.size, "low": one.low, "high": one.high}
        for one in shown
        if one.low is not None and one.high is not None
    ]
    band = (
        alt.Chart(alt.InlineData(values=band_rows))
        .mark_area(color=BAND, fillOpacity=0.22, clip=True)
        .encode(x=axis, y=lift, y2="high:Q")
    )
    lines = [
        {"at": one.at_s / frame.size, "lift": value, "whose": whose}
        for one in shown
        for whose, value in (("the naive pot", one.naive), ("ours", one.ours), ("the truth", one.truth))
        if value is not None
    ]
    drawn = (
        alt.Chart(alt.InlineData(values=lines))
        .mark_line(strokeWidth=2, clip=True)
        .encode(
            x=axis,
            y=alt.Y("lift:Q", scale=scale),
            color=alt.Color(
                "whose:N",
                title=None,
                scale=alt.Scale(domain=list(_LINES), range=list(_LINES.values())),
                legend=_legend("stroke"),
            ),
        )
    )
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0.0}])).mark_rule(color=INK, opacity=0.4).encode(y="zero:Q")
    )
    return alt.LayerChart(
        layer=[band, zero, drawn],
        title=_title("One life until it ended: the goal as it is, and as each rule sees it"),
        width=2 * _PANEL + _GAP,
        height=_HEIGHT,
    )


def _reach(moments: Sequence[Moment]) -> tuple[float, float]:
    """Return what the picture of one life shows: the later half in full; the wild beginning is cut off."""
    half, sixth = moments[len(moments) // 2 :], moments[len(moments) // 6 :]
    ends = [end for one in half for end in (one.low, one.high, one.ours) if end is not None]
    pots = [one.naive for one in sixth if one.naive is not None]
    seen = [*ends, *pots, 0.0, *(one.truth for one in moments)]
    room = 0.1 * (max(seen) - min(seen)) or 0.01
    return min(seen) - room, max(seen) + room
