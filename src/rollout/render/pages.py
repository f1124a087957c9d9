"""The one way to a page: a run and its history in, the text of the wanted format out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rollout.client.answers import ReportFormat
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.report import report
from rollout.render.html import html
from rollout.render.markdown import markdown


def page(
    experiment: Experiment, entries: Sequence[Entry], form: ReportFormat, troubles: tuple[str, ...] = ()
) -> str:
    """Return a run's report; `entries` are its own, the oldest first, `troubles` what is wrong right now."""
    found = report(experiment, entries, troubles)
    match form:
        case ReportFormat.HTML:
            return html(found)
        case ReportFormat.MARKDOWN:
            return markdown(found)
        case ReportFormat.JSON:
            return json.dumps(asdict(found), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
