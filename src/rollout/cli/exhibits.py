"""What a look rests on, as tables and sentences for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rollout.cli import words

if TYPE_CHECKING:
    from rollout.client.evidence import ArmSampleAnswer, EvidenceAnswer, MetricEvidenceAnswer

HOLDS = "holds"


def headline(found: "EvidenceAnswer") -> Iterator[str]:
    """Say whose evidence it is, when it was looked at, and whether the look can be trusted."""
    control, *candidates = found.versions
    yield f"{found.name}, revision {found.revision}: {', '.join(candidates)} against {control}"
    reach = (
        "nothing is filed yet" if found.watermark is None else f"filed up to {words.moment(found.watermark)}"
    )
    held = "" if found.held_by is None else f": {found.held_by}"
    stale = "" if found.evidence_is_fresh else f", which is not fresh{held}"
    yield f"looked at {words.moment(found.at)}; {reach}{stale}"
    split = "as split" if found.split_holds else "NOT as split: no comparison can be trusted"
    yield f"enrolled units: {words.units(found.enrolled)}, {split}"
    if found.quality.two_armed:
        yield f"left out: {found.quality.two_armed:,} of {found.quality.units:,} units, seen in two arms"
    if found.quality.ahead:
        yield f"begin in the future: {found.quality.ahead:,} of {found.quality.units:,} units"


def metrics(found: "EvidenceAnswer") -> list[dict[str, str]]:
    """Return one row for each metric of each candidate."""
    return [
        {
            "metric": _named(found, one),
            "finding": "not judged" if one.verdict is None else one.verdict.finding,
            "units": f"{_units(one.control)} / {_units(one.candidate_sample)}",
            "control": _mean(one.control),
            "candidate": _mean(one.candidate_sample),
            "estimate": words.ABSENT if one.verdict is None else words.estimate(one.verdict),
            "interval": words.ABSENT if one.verdict is None else words.interval(one.verdict),
            "proof": words.ABSENT if one.verdict is None else words.percent(one.verdict.proof),
            "harm": words.ABSENT if one.verdict is None else words.percent(one.verdict.harm),
        }
        for one in found.metrics
    ]


def reasons(found: "EvidenceAnswer") -> Iterator[str]:
    """Say why each metric is missing, or why nothing may be proven of it."""
    for one in found.metrics:
        if one.verdict is not None and one.verdict.why is not None:
            yield f"{_named(found, one)}: {one.verdict.why}"


def outcomes(found: "EvidenceAnswer") -> list[dict[str, str]]:
    """Return one row for each metric that applications tell."""
    return [
        {
            "outcomes of": one.metric,
            "rows": f"{one.told.rows:,}",
            "repeated": f"{one.told.repeated:,}",
            "conflicting": f"{one.told.conflicting:,}",
            "unusable": f"{one.told.wrong_value:,}",
            "units reporting": words.ABSENT
            if one.reports is None
            else f"{one.reports.reporting:,} of {one.reports.units:,}",
        }
        for one in found.metrics
        if one.told is not None and one.candidate == found.versions[1]
    ]


def sources(found: "EvidenceAnswer") -> list[dict[str, str]]:
    """Return one row for each source of records; the one that holds the watermark is marked."""
    return [
        {
            "source": one.name,
            "records": one.kind,
            "filed up to": words.ABSENT if one.watermark is None else words.moment(one.watermark),
            "age": words.ABSENT if one.age_s is None else words.duration(one.age_s),
            "bad lines": f"{one.bad_lines:,}",
            "watermark": HOLDS if one.holds else "",
        }
        for one in found.quality.feeds
    ]


def lacks(found: "EvidenceAnswer") -> Iterator[str]:
    """Say what was lost, and what is in no file."""
    for lost in found.quality.losses:
        rows = f"{lost.rows:,}" if lost.rows else "an unknown number of"
        yield f"{lost.node} lost {rows} {lost.kind}, the last at {words.moment(lost.until)}"
    for gap in found.quality.gaps:
        yield f"in no file: the bytes {gap.start:,} to {gap.end:,} of {gap.node}'s {gap.kind}, log {gap.log}"


def _named(found: "EvidenceAnswer", one: "MetricEvidenceAnswer") -> str:
    return one.metric if len(found.versions) == words.PAIR else f"{one.candidate} {one.metric}"


def _units(sample: "ArmSampleAnswer | None") -> str:
    return words.ABSENT if sample is None else f"{sample.units:,}"


def _mean(sample: "ArmSampleAnswer | None") -> str:
    """Write a mean with its deviation, or of several numbers how the first stands to the second."""
    if sample is None or not sample.units:
        return words.ABSENT
    first, *others = [one for one in sample.columns if one.name != "covariate"]
    if others:
        return f"{first.total:,.6g} / {others[0].total:,.6g}"
    spread = "" if first.variance is None else f" ± {first.variance**0.5:.4g}"
    return f"{first.mean:.6g}{spread}"
