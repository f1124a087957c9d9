"""What `expect` does not say, and what it would be good for."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.domain.metric import MetricType
from rollout.domain.plan.advice import Advice, Gravity
from rollout.domain.plan.asked import Asked
from rollout.domain.plan.words import written_percent
from rollout.domain.policy import Policy


def lacking(policy: Policy, questions: tuple[Asked, ...]) -> Iterator[Advice]:
    """Yield what is not said: unknown where nothing can be planned without it, else a caution."""
    expect = policy.expect
    if not policy.steps:
        return
    if expect.units_per_day is None:
        what = "not written, so nothing can be said of time"
        remedy = "write the eligible units of a day, such as `units: 400000/day`"
        yield _missing("units", what, remedy, Gravity.UNKNOWN)
    if expect.requests_per_s is None:
        what = "not written, so nothing can be said of how soon errors are found"
        remedy = "write the requests of a second, such as `requests: 200/s`"
        yield _missing("requests", what, remedy, Gravity.CAUTION)
    yield from (_of(asked) for asked in questions if asked.lacks)


def _of(asked: Asked) -> Advice:
    if not asked.question.needs_proof:
        what, gravity = "not written, so nobody can say how soon harm is found", Gravity.CAUTION
    elif asked.effort is None:
        what, gravity = "not written, so its proof cannot be planned", Gravity.UNKNOWN
    else:
        what = "not written, so its proof is planned for a candidate that never fails it"
        gravity = Gravity.CAUTION
    return _missing(asked.name, what, _example(asked), gravity)


def _example(asked: Asked) -> str:
    metric, name = asked.question.metric, asked.name
    if "deviation" in asked.lacks:
        return f"write its mean and deviation over units, such as `{name}: {{mean: 3.1, sd: 9}}`"
    if asked.limit is not None:
        half = written_percent(asked.limit / 2)
        return f"write the share of the baseline's requests that exceed the limit, such as `{name}: {half}`"
    is_error = metric is not None and metric.type is MetricType.ERROR_RATE
    what = "requests that fail" if is_error else "units that do it"
    return f"write the baseline's share of {what}, such as `{name}: {'0.2%' if is_error else '12%'}`"


def _missing(name: str, what: str, remedy: str, gravity: Gravity) -> Advice:
    return Advice(("spec", "expect", name), what, remedy, gravity)
