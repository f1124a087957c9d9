"""A policy in the words of its file: each key that says something, with its value, in the file's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from rollout.domain.metric import Metric
from rollout.domain.policy import (
    Action,
    Condition,
    Decide,
    LocalCommand,
    MirrorStep,
    Opening,
    Policy,
    Resilience,
    Risk,
    Step,
    Version,
    WorkflowCall,
)

Entry: TypeAlias = tuple[str, str | None]
UNITS_S: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOUR_MINUTES: Final = 60


def duration(seconds: float) -> str:
    """Return `30m` for 1,800 seconds: the largest unit of which it is a whole number."""
    for unit, size in UNITS_S:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:.10g}s" if seconds >= 1 else f"{seconds * 1000:.10g}ms"


def share(part: float) -> str:
    """Return `5%` for 0.05."""
    return f"{round(part * 100, 9):.12g}%"


def weight(basis_points: int) -> str:
    """Return `5%` for 500."""
    return f"{basis_points / 100:g}%"


def number(value: float) -> str:
    """Return a number without a needless fraction."""
    return f"{value:.12g}"


def _micro(value: float) -> str:
    return duration(value / 1_000_000)


def _truth(value: object) -> str:
    return "true" if value else "false"


def _texts(values: object) -> str:
    return f"[{', '.join(map(str, values))}]" if isinstance(values, tuple) else str(values)


def _fallback(falls_back: object) -> str:
    return "baseline" if falls_back else "none"


Writer: TypeAlias = Callable[..., str]
Keys: TypeAlias = Mapping[str, tuple[str, Writer]]
"""By field: the key in the file, and how its value is written."""

VERSION_KEYS: Final[Keys] = {
    "version": ("version", str),
    "url": ("url", str),
    "http2": ("http2", _truth),
    "credential": ("credential", str),
    "health_check": ("healthCheck", str),
}
METRIC_KEYS: Final[Keys] = {
    "role": ("role", str),
    "source": ("source", str),
    "type": ("type", str),
    "direction": ("direction", str),
    "window_s": ("window", duration),
    "min_effect": ("minEffect", share),
    "margin": ("margin", share),
    "floor": ("floor", share),
    "quantile": ("quantile", number),
    "max_us": ("max", _micro),
    "cap": ("cap", number),
    "numerator": ("numerator", str),
    "denominator": ("denominator", str),
    "pre_window_s": ("covariate.preWindow", duration),
    "query": ("query", str),
    "maximum": ("max", number),
    "minimum": ("min", number),
    "interval_s": ("interval", duration),
    "failure_limit": ("failureLimit", str),
}
RESILIENCE_KEYS: Final[Keys] = {
    "timeout_s": ("timeout", duration),
    "per_try_timeout_s": ("perTryTimeout", duration),
    "falls_back": ("fallback", _fallback),
    "max_fallback": ("maxFallback", share),
}
RISK_KEYS: Final[Keys] = {
    "wrong_promotion": ("wrongPromotion", share),
    "wrong_rollback": ("wrongRollback", share),
}
DECIDE_KEYS: Final[Keys] = {
    "inconclusive": ("inconclusive", str),
    "mismatch": ("mismatch", str),
    "no_data_hold_s": ("noData.hold", duration),
    "no_data_then": ("noData.then", str),
    "mirror": ("mirror", str),
}


def written(policy: Policy) -> dict[str, str]:
    """Return every key that says something; metrics by their names, other entries of a list from 0."""
    found = {
        "metadata.name": policy.name,
        "metadata.owner": policy.owner,
        "spec.route.path": policy.path,
        "spec.route.host": policy.host,
        **dict(_versions(policy)),
        **dict(_assignment(policy)),
        **dict(_fields("spec.resilience", policy.resilience, RESILIENCE_KEYS)),
        **dict(_expect(policy)),
        **{key: value for metric in policy.metrics for key, value in _metric(metric)},
        **dict(_fields("spec.risk", policy.risk, RISK_KEYS)),
        **{key: value for index, stage in enumerate(policy.stages) for key, value in _stage(index, stage)},
        "spec.steps.approve": _texts(policy.approvers) if policy.approvers else None,
        **dict(_fields("spec.decide", policy.decide, DECIDE_KEYS)),
        **dict(_action("spec.actions.promote", policy.actions.promote)),
        **dict(_action("spec.actions.rollback", policy.actions.rollback)),
        "spec.watch.for": duration(policy.watch_s),
        "spec.windows.advance": None if policy.advance is None else opening(policy.advance),
        **{f"spec.notify[{i}]": f"{one.to} {_texts(one.events)}" for i, one in enumerate(policy.notify)},
    }
    return {key: value for key, value in found.items() if value is not None}


def opening(when: Opening) -> str:
    """Return `Mon-Thu 09:00-16:00 Europe/London`."""
    days = when.weekdays
    is_row = len(days) > 1 and days == tuple(range(days[0], days[-1] + 1))
    named = f"{DAYS[days[0]]}-{DAYS[days[-1]]}" if is_row else ",".join(DAYS[day] for day in days)
    begins, ends = (
        f"{at // HOUR_MINUTES:02}:{at % HOUR_MINUTES:02}" for at in (when.from_minute, when.to_minute)
    )
    return f"{named} {begins}-{ends} {when.zone}"


def _fields(stem: str, part: Resilience | Risk | Decide | Metric | Version, keys: Keys) -> Iterator[Entry]:
    """Return the fields that say something, under their keys."""
    for name, (key, write) in keys.items():
        value = getattr(part, name)
        yield f"{stem}.{key}", None if value is None else write(value)


def _versions(policy: Policy) -> Iterator[Entry]:
    yield from _version("spec.baseline", policy.baseline)
    for index, version in enumerate(policy.candidates):
        yield from _version(f"spec.candidates[{index}]", version)


def _version(stem: str, version: Version) -> Iterator[Entry]:
    yield from _fields(stem, version, VERSION_KEYS)
    if version.tls is not None:
        yield f"{stem}.tls", "on"
        yield f"{stem}.tls.ca", version.tls.ca
        yield f"{stem}.tls.san", version.tls.server_name
    for name, value in version.headers.items():
        yield f"{stem}.headers.{name}", value


def _assignment(policy: Policy) -> Iterator[Entry]:
    yield "spec.assignment.unit", f"header:{policy.unit_header}"
    yield "spec.assignment.salt", policy.salt
    if policy.layer is not None:
        yield "spec.assignment.layer.name", policy.layer.name
        yield "spec.assignment.layer.share", weight(policy.layer.share_bp)
    yield "spec.assignment.holdout", weight(policy.holdout_bp) if policy.holdout_bp else None
    for index, condition in enumerate(policy.match):
        yield f"spec.assignment.match[{index}]", _condition(condition)


def _condition(condition: Condition) -> str:
    values = f" {_texts(condition.values)}" if condition.values else ""
    return f"{condition.header} {condition.test}{values}"


def _expect(policy: Policy) -> Iterator[Entry]:
    expect = policy.expect
    units, requests = expect.units_per_day, expect.requests_per_s
    yield "spec.expect.units", None if units is None else f"{number(units)}/day"
    yield "spec.expect.requests", None if requests is None else f"{number(requests)}/s"
    for name, level in (expect.levels or {}).items():
        yield f"spec.expect.{name}.mean", number(level.mean)
        yield f"spec.expect.{name}.sd", None if level.deviation is None else number(level.deviation)


def _metric(metric: Metric) -> Iterator[Entry]:
    # Both kinds of limit are written `max`; a metric has at most one of them.
    unsaid = "maximum" if metric.maximum is None else "max_us"
    keys = {name: how for name, how in METRIC_KEYS.items() if name != unsaid}
    yield from _fields(f"spec.metrics[{metric.name}]", metric, keys)


def _stage(index: int, stage: MirrorStep | Step) -> Iterator[Entry]:
    stem, hold = f"spec.steps[{index}]", stage.hold
    match stage:
        case MirrorStep():
            yield f"{stem}.mirror", weight(stage.share_bp)
        case Step():
            yield f"{stem}.setWeight", weight(stage.weight_bp)
    yield f"{stem}.hold.for", duration(hold.for_s) if hold.for_s else None
    yield f"{stem}.hold.minUnits", str(hold.min_units) if hold.min_units else None
    yield f"{stem}.hold.until", "verdict" if hold.until_verdict else None
    yield f"{stem}.hold.atMost", None if hold.at_most_s is None else duration(hold.at_most_s)
    yield f"{stem}.warmup", duration(stage.warmup_s) if stage.warmup_s else None


def _action(stem: str, action: Action | None) -> Iterator[Entry]:
    match action:
        case LocalCommand():
            yield f"{stem}.command", _texts(action.command)
        case WorkflowCall():
            yield f"{stem}.workflowTemplate", action.template
            for name, value in action.parameters.items():
                yield f"{stem}.parameters.{name}", value
        case None:
            return
    yield f"{stem}.deadline", duration(action.deadline_s)
