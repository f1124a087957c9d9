"""Combinations that cannot work, though each key by itself is well written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

from rollout.domain.policy import RETRY_PAUSE_S, WHOLE_BP
from rollout.errors import nearest
from rollout.policyfile import metric_rules, step_rules
from rollout.policyfile.draft import Draft
from rollout.policyfile.finding import Complaint, Path
from rollout.policyfile.leaves import Fallback
from rollout.policyfile.traffic import Condition, Version
from rollout.policyfile.writing import duration_text

SPEC: Final[Path] = ("spec",)
LONGEST_WATCH_S: Final = 7 * 86_400
MAXIMUM_COMPARED: Final = 20
"""So many conditions a policy may have; a list of thousands is refused without comparing all with all."""


def impossible(draft: Draft) -> list[Complaint]:
    """Return every combination that cannot work, among the parts that hold."""
    return [complaint for check in CHECKS for complaint in check(draft)]


def _route(draft: Draft) -> Iterator[Complaint]:
    if draft.route and draft.route.path is None and draft.route.host is None:
        yield Complaint(
            (*SPEC, "route", "path"), "is missing", "write `path`, `host` or both", shows_value=False
        )


def _candidates(draft: Draft) -> Iterator[Complaint]:
    if {"candidate", "candidates"} <= draft.written:
        yield Complaint(
            (*SPEC, "candidates"),
            "either `candidate` or `candidates`, not both",
            "remove one of them",
            shows_value=False,
        )
    elif draft.written and not any(nearest(key, ("candidate", "candidates")) for key in draft.written):
        what = "is missing"
        remedy = "name the version that may replace the baseline"
        yield Complaint((*SPEC, "candidate"), what, remedy, shows_value=False)


def _versions(draft: Draft) -> Iterator[Complaint]:
    known = {draft.baseline.version: "the baseline"} if draft.baseline else {}
    for path, candidate in draft.candidates:
        if candidate.version in known:
            what = f"must differ from {known[candidate.version]}'s version"
            yield Complaint((*path, "version"), what)
        else:
            known[candidate.version] = f"candidates[{path[-1]}]"


def _calls(draft: Draft) -> Iterator[Complaint]:
    """How each version is called."""
    baseline: list[tuple[Path, Version]] = [((*SPEC, "baseline"), draft.baseline)] if draft.baseline else []
    for path, version in (*baseline, *draft.candidates):
        if version.tls is not None and not version.url.startswith("https://"):
            secure = f"write https://{version.url.removeprefix('http://')}"
            yield Complaint(
                (*path, "tls"), "needs an address that begins with https://", secure, shows_value=False
            )


def _match(draft: Draft) -> Iterator[Complaint]:
    unit = draft.assignment.unit if draft.assignment else None
    before: list[Condition] = []
    for index, condition in draft.match:
        path: Path = (*SPEC, "assignment", "match", index)
        asked = sorted(condition.model_fields_set - {"header"})
        if len(asked) != 1:
            yield Complaint(
                path, "needs exactly one of `in`, `prefix`, `present` and `absent`", shows_value=False
            )
        for key, opposite in (("present", "absent"), ("absent", "present")):
            if getattr(condition, key) is False:
                yield Complaint((*path, key), "must be true", f"for the opposite write `{opposite}: true`")
        if condition.header == unit and condition.absent:
            yield Complaint((*path, "absent"), "nobody could take part: the unit is in this header")
        elif any(_exclude(condition, other) for other in before[:MAXIMUM_COMPARED]):
            yield Complaint(
                path, "nobody could take part: no request meets this and those above", shows_value=False
            )
        before.append(condition)


def _exclude(one: Condition, other: Condition) -> bool:
    """Return whether no value of a header meets both conditions."""
    if one.header != other.header:
        return False
    if one.absent or other.absent:
        return not (one.absent and other.absent)
    if one.in_ is not None and other.in_ is not None:
        return not set(one.in_) & set(other.in_)
    for listed, begins in ((one.in_, other.prefix), (other.in_, one.prefix)):
        if listed is not None and begins is not None:
            return not any(value.startswith(begins) for value in listed)
    if one.prefix is not None and other.prefix is not None:
        return not (one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix))
    return False


def _holdout(draft: Draft) -> Iterator[Complaint]:
    if draft.assignment and draft.assignment.holdout == WHOLE_BP:
        yield Complaint((*SPEC, "assignment", "holdout"), "must be less than 100%: nobody could take part")


def _tries(draft: Draft) -> Iterator[Complaint]:
    resilience = draft.resilience
    if resilience is None:
        return
    path: Path = (*SPEC, "resilience", "perTryTimeout")
    timeout, one_try = resilience.timeout, resilience.per_try_timeout
    is_written = "per_try_timeout" in resilience.model_fields_set
    remedy = None if is_written else f"the default is {duration_text(one_try)}"
    if resilience.fallback is Fallback.NONE:
        if one_try > timeout:
            what = f"must be at most `timeout`, {duration_text(timeout)}"
            yield Complaint(path, what, remedy, shows_value=is_written)
    elif 2 * one_try + RETRY_PAUSE_S > timeout:
        both = "the candidate's try, a pause and the fallback's try"
        what = f"{both} must fit into `timeout`, {duration_text(timeout)}"
        most_ms = math.floor((timeout - RETRY_PAUSE_S) / 2 * 1000)
        if most_ms > 0:
            remedy = f"write at most {duration_text(most_ms / 1000)}"
        yield Complaint(path, what, remedy, shows_value=is_written)


def _watch(draft: Draft) -> Iterator[Complaint]:
    if draft.watch and draft.watch.for_ > LONGEST_WATCH_S:
        yield Complaint((*SPEC, "watch", "for"), f"must be at most {duration_text(LONGEST_WATCH_S)}")


def _notices(draft: Draft) -> Iterator[Complaint]:
    told: dict[str, int] = {}
    for index, notice in draft.notify:
        path: Path = (*SPEC, "notify", index)
        if notice.to in told:
            what = f"must be named once: notify[{told[notice.to]}] names it too"
            yield Complaint((*path, "to"), what, "list all its events there")
        told.setdefault(notice.to, index)
        for place, event in enumerate(notice.events):
            if event in notice.events[:place]:
                yield Complaint((*path, "events", place), "must be named once")


CHECKS: Final[tuple[Callable[[Draft], Iterator[Complaint]], ...]] = (
    _route,
    _candidates,
    _versions,
    _calls,
    _match,
    _holdout,
    step_rules.order,
    step_rules.weights,
    step_rules.last_weight,
    step_rules.holds,
    step_rules.warmups,
    step_rules.approvers,
    metric_rules.names,
    metric_rules.goal,
    metric_rules.roles,
    metric_rules.windows,
    _tries,
    _watch,
    _notices,
    metric_rules.expectations,
)
