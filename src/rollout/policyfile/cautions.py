"""What may run, but should have been decided by someone: the warnings of `rollout lint`.

A warning about a default goes away when the key is written, even with the default's own value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rollout.policyfile.draft import Draft
from rollout.policyfile.finding import Complaint, Path, Severity
from rollout.policyfile.leaves import Fallback
from rollout.policyfile.shapes import ErrorRate, Latency
from rollout.policyfile.writing import percent_text

METRICS: Final[Path] = ("spec", "metrics")
RESILIENCE: Final[Path] = ("spec", "resilience")


def cautions(draft: Draft) -> list[Complaint]:
    """Return every warning about the parts that hold."""
    return [complaint for check in CHECKS for complaint in check(draft)]


def _executed_twice(draft: Draft) -> Iterator[Complaint]:
    if draft.resilience and "fallback" not in draft.resilience.model_fields_set:
        yield _warning(
            (*RESILIENCE, "fallback"),
            "not written, so a request that the candidate fails is executed again by the baseline",
            "write `fallback: baseline` if executing it twice does no harm, else `fallback: none`",
        )


def _fallback_limit(draft: Draft) -> Iterator[Complaint]:
    resilience = draft.resilience
    if resilience and resilience.fallback is Fallback.NONE and "max_fallback" in resilience.model_fields_set:
        yield _warning((*RESILIENCE, "maxFallback"), "does nothing with `fallback: none`", "remove it")


def _margins(draft: Draft) -> Iterator[Complaint]:
    for index, metric in draft.metrics:
        if isinstance(metric, ErrorRate) and "margin" not in metric.model_fields_set:
            yield _warning(
                (*METRICS, index, "margin"),
                f"not written, so errors may grow by {percent_text(metric.margin)}",
                "write the margin that you accept",
            )


def _errors_unwatched(draft: Draft) -> Iterator[Complaint]:
    if draft.metrics_hold and not any(isinstance(metric, ErrorRate) for _, metric in draft.metrics):
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
        if isinstance(metric, Latency) and metric.max >= cut_s * 1_000_000:
            yield _warning(
                (*METRICS, index, "max"),
                "not below resilience.perTryTimeout, so slow answers are cut off before they break the limit",
                "lower max, or raise perTryTimeout",
            )


def _same_address(draft: Draft) -> Iterator[Complaint]:
    if draft.baseline and draft.candidate and draft.baseline.url == draft.candidate.url:
        yield _warning(
            ("spec", "candidate", "url"),
            "the baseline's address too, so this compares a server with itself",
            "right for an A/A test only",
        )


def _warning(path: Path, what: str, remedy: str) -> Complaint:
    return Complaint(path, what, remedy, severity=Severity.WARNING, shows_value=False)


CHECKS: Final[tuple[Callable[[Draft], Iterator[Complaint]], ...]] = (
    _executed_twice,
    _fallback_limit,
    _margins,
    _errors_unwatched,
    _unreachable_limits,
    _same_address,
)
