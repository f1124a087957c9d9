"""What a policy may ask for that the proxy does not carry out yet: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.domain.assignment import Placement
from rollout.domain.policy import Version
from rollout.errors import Problem

NOT_YET = "is not supported yet by the proxy"


def not_yet(placement: Placement) -> Iterable[Problem]:
    """Return one problem for each wish of a placement that no route, cluster or weight would show."""
    policy, split = placement.policy, placement.split
    arms = (policy.baseline, *policy.candidates)
    of_policy = {
        "route.host": policy.host is not None,
        "assignment.layer": policy.layer is not None,
        "assignment.holdout": policy.holdout_bp > 0,
        "assignment.match": bool(policy.match),
        "a mirror step": bool(policy.mirror_steps),
        **{f"{key} of version {arm.version}": is_asked for arm in arms for key, is_asked in _calls(arm)},
    }
    of_split = {
        "a stopped arm": bool(split.stopped),
        "a promotion of one of several candidates": split.is_promoted and len(policy.candidates) > 1,
    }
    for what in (name for name, is_asked in of_policy.items() if is_asked):
        yield Problem(policy.name, f"{what} {NOT_YET}", "leave it out of the policy")
    for what in (name for name, is_asked in of_split.items() if is_asked):
        yield Problem(policy.name, f"{what} {NOT_YET}", "roll back, or give the policy one candidate")


def _calls(version: Version) -> Iterable[tuple[str, bool]]:
    """Return each key that says how a version is called, and whether it says anything unusual."""
    yield "http2", version.http2
    yield "tls", version.tls is not None
    yield "headers", bool(version.headers)
    yield "credential", version.credential is not None
    yield "healthCheck", version.health_check is not None
