"""Ask ddsketch (Datadog): quantiles of a sketch with a relative accuracy of 1 %."""

from __future__ import annotations

from typing import Final

from ddsketch import DDSketch  # type: ignore[import-not-found,unused-ignore]  # lives in the peers' environment

from tests.golden.peers.exchange import Answer, Inputs, Solver


def _quantile(asked: Inputs) -> Answer:
    sketch = DDSketch(relative_accuracy=0.01)
    for duration in asked.numbers("durations"):
        sketch.add(duration)
    return {"value": float(sketch.get_quantile_value(asked.number("probability")))}


ANSWERS: Final[dict[str, Solver]] = {"quantile": _quantile}
