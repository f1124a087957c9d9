"""A plan as a picture: the steps on their calendar, and when each proof is there, against the deadline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import vl_convert
from markupsafe import escape

from rollout.domain.plan.parts import MetricPlan, StepPlan
from rollout.domain.plan.plan import Plan
from rollout.domain.plan.words import count, percent, span
from rollout.render.chart import WIDTH
from rollout.render.paint import AIM, BAND, INK, config

_ROW: Final = 26
_BAR: Final = 14
_FARTHEST: Final = 2.5
"""How many deadlines the picture shows; a later proof runs out of it, with its time beside it."""
_MARGIN: Final = 1.02
_UNITS: Final = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0), ("seconds", 1.0))
_LEAST_IN_VIEW: Final = 2.0
_CONCLUSION: Final = "#15803d"
_INKS: Final = "<style>:root{color:#1a1d21}@media (prefers-color-scheme:dark){:root{color:#e8eaed}}</style>"
_EMPTY: Final = '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0"></svg>'


@dataclass(frozen=True, slots=True)
class _Row:
    """One step on the calendar."""

    name: str
    from_s: float
    to_s: float
    words: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every layer shares: the end of time, its unit, and the two axes."""

    end_s: float
    size: float
    time: dict[str, Any]
    rows: alt.Y

    def at(self, seconds: float) -> float:
        """Return where a moment stands, or the edge for a later one."""
        return min(seconds, self.end_s) / self.size


def plan_chart(plan: Plan) -> str | None:
    """Return the picture, or None for a policy without a calendar."""
    if plan.deadline_s is not None:
        metrics = [metric for metric in plan.metrics if metric.longest_s is not None or metric.is_never]
        rows = [_step(step) for step in plan.steps]
        order = [*(row.name for row in rows), *(metric.name for metric in metrics)]
        frame = _frame(_end_s(plan, metrics), order, "the first weight")
        layers = [*_rules(plan, frame), *_bars(rows, frame), *_metrics(plan, metrics, frame)]
    elif plan.copies:
        rows = list(_copies(plan))
        order = [row.name for row in rows]
        frame = _frame(rows[-1].to_s * _MARGIN, order, "the first copy")
        layers = _bars(rows, frame)
    else:
        return None
    drawn = alt.LayerChart(
        layer=layers,
        width=WIDTH,
        height=_ROW * len(order),
        background="transparent",
        config=config(label_size=12),
    )
    return str(vl_convert.vegalite_to_svg(drawn.to_dict()))


def plan_picture(plan: Plan) -> str:
    """Return the picture as a file of its own, with its words on any ground; without steps it is empty."""
    drawn = plan_chart(plan) or _EMPTY
    end = drawn.index(">") + 1
    title = f"<title>{escape(f'{plan.name}: {plan.answer}')}</title>"
    return f"{drawn[:end]}{title}{_INKS}{drawn[end:]}\n"


def _end_s(plan: Plan, metrics: list[MetricPlan]) -> float:
    deadline_s = plan.deadline_s or 0.0
    latest = max([deadline_s, *(metric.longest_s or 0.0 for metric in metrics)])
    return min(latest, _FARTHEST * deadline_s) * _MARGIN


def _frame(end_s: float, order: list[str], since: str) -> _Frame:
    unit, size = next((pair for pair in _UNITS if end_s >= _LEAST_IN_VIEW * pair[1]), _UNITS[-1])
    time = {
        "scale": alt.Scale(domain=[0.0, end_s / size], nice=False, clamp=True),
        "title": f"{unit} since {since}",
        "axis": alt.Axis(grid=True, tickCount=8),
    }
    axis = alt.Axis(labelLimit=220, ticks=False, domain=False, labelPadding=8)
    return _Frame(end_s, size, time, alt.Y("row:N", sort=order, title=None, axis=axis))


def _step(step: StepPlan) -> _Row:
    name = f"steps[{step.number}]: {percent(step.weight)}"
    words = f"{span(step.lasts_s)}, {count(step.units)} units by then"
    return _Row(name, step.begins_s, step.begins_s + (step.lasts_s or 0.0), words)


def _copies(plan: Plan) -> Iterator[_Row]:
    begins_s = 0.0
    for step in plan.copies:
        ends_s = begins_s + step.lasts_s
        words = f"{span(step.lasts_s)}, {count(step.copies)} copies"
        yield _Row(f"steps[{step.number}]: {percent(step.share)}", begins_s, ends_s, words)
        begins_s = ends_s


def _bars(rows: list[_Row], frame: _Frame) -> list[alt.Chart]:
    """Return a bar for each step, with its words beside the picture."""
    values = [
        {"row": row.name, "from": frame.at(row.from_s), "to": frame.at(row.to_s), "words": row.words}
        for row in rows
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(y=frame.rows)
    bars = base.mark_bar(color=BAND, height=_BAR, cornerRadius=2, minBandSize=2)
    return [bars.encode(x=alt.X("from:Q", **frame.time), x2="to:Q"), _beside(base)]


def _metrics(plan: Plan, metrics: list[MetricPlan], frame: _Frame) -> list[alt.Chart]:
    """Return for each metric a light bar to its longest time and a dark one to its expected time."""
    layers = []
    for color, is_late in ((INK, False), (AIM, True)):
        values = [_metric_row(metric, frame) for metric in metrics if _is_late(plan, metric) is is_late]
        if values:
            base = alt.Chart(alt.InlineData(values=values)).encode(y=frame.rows)
            zero = alt.X("zero:Q", **frame.time)
            light = base.mark_bar(color=color, fillOpacity=0.22, height=_BAR, cornerRadius=2)
            dark = base.mark_bar(color=color, fillOpacity=0.6, height=_BAR, cornerRadius=2)
            layers += [
                light.encode(x=zero, x2="longest:Q"),
                dark.encode(x=zero, x2="expected:Q"),
                _beside(base),
            ]
    return layers


def _is_late(plan: Plan, metric: MetricPlan) -> bool:
    """Return whether a proof is not to be expected before the policy gives up."""
    return metric.is_never or (metric.expected_s or 0.0) > (plan.deadline_s or 0.0)


def _metric_row(metric: MetricPlan, frame: _Frame) -> dict[str, Any]:
    expected_s, longest_s = metric.expected_s, metric.longest_s
    if expected_s is None or longest_s is None:
        expected_s, longest_s, words = 0.0, frame.end_s, "never"
    else:
        words = ("at best " if metric.is_least else "") + span(expected_s)
        words += "" if span(expected_s) == span(longest_s) else f", longest {span(longest_s)}"
    ends = {"zero": 0.0, "expected": frame.at(expected_s), "longest": frame.at(longest_s)}
    return {"row": metric.name, "words": words, **ends}


def _beside(base: alt.Chart) -> alt.Chart:
    """Return the words of each row, in a column right of the picture."""
    text: alt.Chart = base.mark_text(align="left", color=INK, fontSize=12)
    return text.encode(x=alt.value(WIDTH + 12), text="words:N")


def _rules(plan: Plan, frame: _Frame) -> list[alt.Chart]:
    """Return when the policy gives up, and when it is expected to conclude."""
    found = [(plan.deadline_s or 0.0, AIM, "gives up", [6, 4])]
    if plan.expected_s is not None and plan.concludes:
        found.append((plan.expected_s, _CONCLUSION, "concludes", [1, 0]))
    layers = []
    for at_s, color, words, dash in found:
        values = [{"at": frame.at(at_s), "words": words}]
        base = alt.Chart(alt.InlineData(values=values)).encode(x=alt.X("at:Q", **frame.time))
        layers.append(base.mark_rule(color=color, strokeWidth=2, strokeDash=dash))
        is_left = at_s < frame.end_s / 2
        label = base.mark_text(
            color=color, align="left" if is_left else "right", dy=-8, fontSize=12, fontWeight="bold"
        )
        layers.append(label.encode(text="words:N", y=alt.value(0)))
    return layers
