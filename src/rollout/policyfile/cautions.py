"""What may run, but should have been decided by someone: the warnings of `rollout lint`.

A warning about a default goes away when the key is written, even with the default's own value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rollout.domain.metric import Role
from rollout.domain.promql import names_an_arm
from rollout.policyfile.draft import Draft
from rollout.policyfile.finding import Complaint, Path, Severity
from rollout.policyfile.leaves import Fallback
from rollout.policyfile.metrics import ErrorRate, Latency, Mean, OutcomeMetric, Threshold
from rollout.policyfile.traffic import Version
from rollout.policyfile.writing import duration_text, percent_text

METRICS: Final[Path] = ("spec", "metrics")
RESILIENCE: Final[Path] = ("spec", "resilience")
STEPS: Final[Path] = ("spec", "steps")
WEEK_S: Final = 7 * 86_400
RHYTHM_S: Final = 3_600
"""From this window on, a metric follows people's days and weeks."""
SECRET_WORDS: Final = ("api-key", "apikey", "password", "secret", "token")


def cautions(draft: Draft) -> list[Complaint]:
    """Return every warning about the parts that hold."""
    return [complaint for check in CHECKS for complaint in check(draft)]


def _executed_twice(draft: Draft) -> Iterator[Complaint]:
    resilience = draft.resilience
    if resilience is None:
        return
    if "fallback" not in resilience.model_fields_set and draft.can_promote:
        yield _warning(
            (*RESILIENCE, "fallback"),
            "not written, so a request that the candidate fails is executed again by the baseline",
            "write `fallback: baseline` if executing it twice does no harm, else `fallback: none`",
        )
    for index, _ in draft.mirrors:
        if "fallback" not in resilience.model_fields_set or resilience.fallback is Fallback.NONE:
            yield _warning(
                (*STEPS, index, "mirror"),
                "every copied request is executed twice, by the baseline and by the candidate",
                "write `fallback: baseline` in `resilience` if that does no harm, else mirror nothing",
            )


def _fallback_limit(draft: Draft) -> Iterator[Complaint]:
    resilience = draft.resilience
    if resilience and resilience.fallback is Fallback.NONE and "max_fallback" in resilience.model_fields_set:
        yield _warning((*RESILIENCE, "maxFallback"), "does nothing with `fallback: none`", "remove it")


def _margins(draft: Draft) -> Iterator[Complaint]:
    for index, metric in draft.metrics:
        if metric.role is not Role.GUARDRAIL:
            continue
        if isinstance(metric, ErrorRate) and "margin" not in metric.model_fields_set:
            yield _warning(
                (*METRICS, index, "margin"),
                f"not written, so errors may grow by {percent_text(metric.margin)}",
                "write the margin that you accept",
            )
        if isinstance(metric, OutcomeMetric) and metric.margin is None:
            yield _warning(
                (*METRICS, index, "margin"),
                "not written, so the smallest proven harm rolls back, and no safety needs to be proven",
                "write the margin that you accept, such as `margin: 2%`",
            )


def _caps(draft: Draft) -> Iterator[Complaint]:
    for index, metric in draft.metrics:
        if isinstance(metric, Mean) and metric.cap is None and metric.role is not Role.OBSERVE:
            yield _warning(
                (*METRICS, index, "cap"),
                "not written, so a few very large values can drown the rest",
                "write a cap that few units reach",
            )


def _errors_unwatched(draft: Draft) -> Iterator[Complaint]:
    watched = any(
        isinstance(metric, ErrorRate) and metric.role is Role.GUARDRAIL for _, metric in draft.metrics
    )
    if draft.metrics_hold and draft.can_promote and not watched:
        yield _warning(
            METRICS,
            "no guardrail on errors: a candidate that fails its requests is found late",
            "add one of type error-rate",
        )


def _unreachable_limits(draft: Draft) -> Iterator[Complaint]:
    if draft.resilience is None:
        return
    cut_s = draft.resilience.per_try_timeout
    for index, metric in draft.metrics:
        if isinstance(metric, Latency) and metric.max is not None and metric.max >= cut_s * 1_000_000:
            yield _warning(
                (*METRICS, index, "max"),
                "not below resilience.perTryTimeout, so slow answers are cut off before they break the limit",
                "lower max, or raise perTryTimeout",
            )


def _short_of_a_week(draft: Draft) -> Iterator[Complaint]:
    """Whoever decides before a week has passed has not seen its weekend."""
    if draft.last_weight is None:
        return
    index, step = draft.last_weight
    at_most = step.hold.at_most
    if at_most is None or at_most >= WEEK_S:
        return
    follows_days = any(
        isinstance(metric, OutcomeMetric) and RHYTHM_S <= metric.window <= at_most
        for _, metric in draft.metrics
        if metric.role is Role.PRIMARY
    )
    if follows_days:
        yield _warning(
            (*STEPS, index, "hold", "atMost"),
            f"{duration_text(at_most)} is less than a full week, so some weekdays are never seen",
            "write at least 7d",
        )


def _asks_for_all(draft: Draft) -> Iterator[Complaint]:
    """Warn of a query that names no candidate: it has one answer for all of them."""
    for index, metric in draft.metrics:
        if isinstance(metric, Threshold) and len(draft.candidates) > 1 and not names_an_arm(metric.query):
            yield _warning(
                (*METRICS, index, "query"),
                "asks the same for every candidate, so one that breaks the bound stops all",
                'name the candidate, such as {version="{{arm.version}}"}',
            )


def _same_address(draft: Draft) -> Iterator[Complaint]:
    for path, candidate in draft.candidates:
        if draft.baseline and draft.baseline.url == candidate.url:
            yield _warning(
                (*path, "url"),
                "the baseline's address too, so this compares a server with itself",
                "right for an A/A test only",
            )


def _secrets(draft: Draft) -> Iterator[Complaint]:
    baseline: list[tuple[Path, Version]] = [(("spec", "baseline"), draft.baseline)] if draft.baseline else []
    for path, version in (*baseline, *draft.candidates):
        if version.credential is not None and not version.url.startswith("https://"):
            yield _warning(
                (*path, "credential"),
                "sent unencrypted, for the address begins with http://",
                "write https://",
            )
        for name in version.headers:
            if any(word in name for word in SECRET_WORDS):
                what = "looks like a secret, and this file is read by many"
                yield _warning((*path, "headers", name), what, "write `credential: NAME` if it is one")


def _idle(draft: Draft) -> Iterator[Complaint]:
    """Keys that never do anything in this policy."""
    if draft.expect is not None:
        polled = {metric.name for _, metric in draft.metrics if isinstance(metric, Threshold)}
        for name in polled & draft.expect.levels.keys():
            yield _warning(
                ("spec", "expect", name), "nothing reads the level of a polled metric", "remove it"
            )
    has_limits = any(metric.role is Role.SLO for _, metric in draft.metrics)
    if draft.watch and "watch" in draft.written and draft.metrics_hold and not has_limits:
        what = "only metrics with `role: slo` are watched, and there is none"
        yield _warning(("spec", "watch"), what, "add one, or remove it")
    if draft.can_promote:
        return
    if draft.actions and draft.actions.promote is not None:
        what = "never run: without a weight step nothing is promoted"
        yield _warning(("spec", "actions", "promote"), what, "remove it")
    for index, metric in draft.metrics:
        if metric.role is not Role.OBSERVE:
            what = "copies prove nothing, so without a weight step every metric is only observed"
            yield _warning((*METRICS, index, "role"), what, "write `role: observe`")


def _warning(path: Path, what: str, remedy: str) -> Complaint:
    return Complaint(path, what, remedy, severity=Severity.WARNING, shows_value=False)


CHECKS: Final[tuple[Callable[[Draft], Iterator[Complaint]], ...]] = (
    _executed_twice,
    _fallback_limit,
    _margins,
    _caps,
    _errors_unwatched,
    _unreachable_limits,
    _short_of_a_week,
    _asks_for_all,
    _same_address,
    _secrets,
    _idle,
)
