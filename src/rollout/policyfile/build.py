"""A checked file → the frozen policy that the rest of the house reads."""

from __future__ import annotations

from rollout.domain import policy as domain
from rollout.domain.policy import Direction, Policy
from rollout.policyfile import shapes
from rollout.policyfile.leaves import Fallback
from rollout.policyfile.shapes import Binary, ErrorRate, File, Latency


def policy_of(file: File) -> Policy:
    """Return the policy that a file describes."""
    spec = file.spec
    return Policy(
        name=file.metadata.name,
        owner=file.metadata.owner,
        path=spec.route.path,
        baseline=_version(spec.baseline),
        candidates=(_version(spec.candidate),),
        unit_header=spec.assignment.unit,
        salt=salt_of(file.metadata, spec.assignment),
        metrics=tuple(_metric(metric) for metric in spec.metrics),
        steps=tuple(domain.Step(step.set_weight, _hold(step.hold)) for step in spec.steps),
        expect=_expect(spec.expect),
        resilience=_resilience(spec.resilience),
        risk=domain.Risk(spec.risk.wrong_promotion, spec.risk.wrong_rollback),
        decide=_decide(spec.decide),
        actions=domain.Actions(_command(spec.actions.promote), _command(spec.actions.rollback)),
    )


def salt_of(metadata: shapes.Metadata, assignment: shapes.Assignment) -> str:
    """Return the salt as written, or its default."""
    return metadata.name if assignment.salt is None else assignment.salt


def _version(shape: shapes.Version) -> domain.Version:
    return domain.Version(shape.version, shape.url)


def _metric(shape: Binary | ErrorRate | Latency) -> domain.Metric:
    match shape:
        case Binary():
            return domain.Metric(
                name=shape.name,
                role=shape.role,
                source=shape.source,
                type=shape.type,
                direction=shape.direction,
                window_s=shape.window,
                min_effect=shape.min_effect,
                margin=shape.margin,
            )
        case ErrorRate():
            return domain.Metric(
                name=shape.name,
                role=shape.role,
                source=shape.source,
                type=shape.type,
                direction=Direction.DECREASE,
                window_s=shape.window,
                margin=shape.margin,
                floor=shape.floor,
            )
        case Latency():
            return domain.Metric(
                name=shape.name,
                role=shape.role,
                source=shape.source,
                type=shape.type,
                direction=Direction.DECREASE,
                window_s=shape.window,
                quantile=shape.quantile,
                max_us=shape.max,
            )


def _hold(shape: shapes.Hold) -> domain.Hold:
    return domain.Hold(
        for_s=shape.for_ or 0.0,
        min_units=shape.min_units or 0,
        until_verdict=shape.until is not None,
        at_most_s=shape.at_most,
    )


def _expect(shape: shapes.Expect) -> domain.Expect:
    levels = {name: domain.Level(level.mean, level.sd) for name, level in shape.levels.items()}
    return domain.Expect(shape.units, shape.requests, levels or None)


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
    )


def _command(shape: shapes.Command | None) -> domain.LocalCommand | None:
    return None if shape is None else domain.LocalCommand(tuple(shape.command), shape.deadline)
