"""A checked file → the frozen policy that the rest of the house reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from rollout.domain import policy as domain
from rollout.domain.policy import Policy, Test
from rollout.policyfile import shapes, traffic
from rollout.policyfile.actions import AnyAction, Command, Workflow
from rollout.policyfile.build_metrics import metric_of
from rollout.policyfile.leaves import Fallback
from rollout.policyfile.quantities import Span
from rollout.policyfile.shapes import File
from rollout.policyfile.steps import AnyStep, ApproveStep, Hold, MirrorStep, WeightStep


def policy_of(file: File) -> Policy:
    """Return the policy that a file describes."""
    spec, assignment = file.spec, file.spec.assignment
    candidates = spec.candidates if spec.candidates is not None else [spec.candidate]
    layer = assignment.layer
    return Policy(
        name=file.metadata.name,
        owner=file.metadata.owner,
        path=spec.route.path or "/",
        host=spec.route.host,
        baseline=_version(spec.baseline),
        candidates=tuple(_version(candidate) for candidate in candidates if candidate is not None),
        unit_header=assignment.unit,
        salt=salt_of(file.metadata, assignment),
        layer=None if layer is None else domain.Layer(layer.name, layer.share),
        holdout_bp=assignment.holdout or 0,
        match=tuple(_condition(condition) for condition in assignment.match),
        metrics=tuple(metric_of(metric) for metric in spec.metrics),
        mirror_steps=_mirror_steps(spec.steps),
        steps=_weight_steps(spec.steps),
        approvers=tuple(
            group for step in spec.steps if isinstance(step, ApproveStep) for group in step.approve
        ),
        expect=_expect(spec.expect),
        resilience=_resilience(spec.resilience),
        risk=domain.Risk(spec.risk.wrong_promotion, spec.risk.wrong_rollback),
        decide=_decide(spec.decide),
        actions=domain.Actions(_action(spec.actions.promote), _action(spec.actions.rollback)),
        watch_s=spec.watch.for_,
        advance=spec.windows.advance,
        notify=tuple(domain.Notice(notice.to, tuple(notice.events)) for notice in spec.notify),
    )


def salt_of(metadata: shapes.Metadata, assignment: traffic.Assignment) -> str:
    """Return the salt as written, or its default."""
    return metadata.name if assignment.salt is None else assignment.salt


def _version(shape: traffic.Version) -> domain.Version:
    secure = shape.tls if shape.tls is not None else traffic.Tls()
    return domain.Version(
        version=shape.version,
        url=shape.url,
        http2=shape.http2,
        tls=domain.Tls(secure.ca, secure.san) if shape.url.startswith("https://") else None,
        headers=dict(shape.headers),
        credential=shape.credential,
        health_check=shape.health_check,
    )


def _condition(shape: traffic.Condition) -> domain.Condition:
    if shape.in_ is not None:
        return domain.Condition(shape.header, Test.IN, tuple(shape.in_))
    if shape.prefix is not None:
        return domain.Condition(shape.header, Test.PREFIX, (shape.prefix,))
    return domain.Condition(shape.header, Test.PRESENT if shape.present else Test.ABSENT)


def _weight_steps(steps: Iterable[AnyStep]) -> tuple[domain.Step, ...]:
    return tuple(
        domain.Step(step.set_weight, _hold(step.hold), step.warmup or 0.0)
        for step in steps
        if isinstance(step, WeightStep)
    )


def _mirror_steps(steps: Iterable[AnyStep]) -> tuple[domain.MirrorStep, ...]:
    return tuple(
        domain.MirrorStep(step.mirror, domain.Hold(for_s=step.hold.for_), step.warmup or 0.0)
        for step in steps
        if isinstance(step, MirrorStep)
    )


def _hold(shape: Hold) -> domain.Hold:
    return domain.Hold(
        for_s=shape.for_ or 0.0,
        min_units=shape.min_units or 0,
        until_verdict=shape.until is not None,
        at_most_s=shape.at_most,
    )


def _expect(shape: shapes.Expect) -> domain.Expect:
    levels = {name: domain.Level(_level(level.mean), level.sd) for name, level in shape.levels.items()}
    return domain.Expect(shape.units, shape.requests, levels or None)


def _level(known: float | Span) -> float:
    """Return a level as a number; of a quantile of the response time, its microseconds."""
    return float(known.microseconds) if isinstance(known, Span) else known


def _resilience(shape: shapes.Resilience) -> domain.Resilience:
    return domain.Resilience(
        timeout_s=shape.timeout,
        per_try_timeout_s=shape.per_try_timeout,
        falls_back=shape.fallback is Fallback.BASELINE,
        max_fallback=shape.max_fallback,
    )


def _decide(shape: shapes.Decide) -> domain.Decide:
    return domain.Decide(
        inconclusive=shape.inconclusive,
        mismatch=shape.mismatch,
        no_data_hold_s=shape.no_data.hold,
        no_data_then=shape.no_data.then,
        mirror=shape.mirror,
    )


def _action(shape: AnyAction | None) -> domain.Action | None:
    match shape:
        case None:
            return None
        case Command():
            return domain.LocalCommand(tuple(shape.command), shape.deadline)
        case Workflow():
            return domain.WorkflowCall(shape.workflow_template, dict(shape.parameters), shape.deadline)
    assert_never(shape)
