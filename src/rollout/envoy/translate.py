"""From placements to everything that Envoy reads while it runs; what it cannot do is refused at the door."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rollout.domain.assignment import Placement
from rollout.domain.policy import RETRY_PAUSE_S, Policy
from rollout.envoy.clusters import address_of, clusters
from rollout.envoy.document import Configuration
from rollout.envoy.not_yet import not_yet
from rollout.envoy.routes import routes
from rollout.envoy.weights import weights
from rollout.errors import Problem, WrongTraffic

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
# What Envoy's normalisation of a path leaves alone: no empty or dotted segments, no escapes, no query.
_PATH: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?")
OURS: Final = "x-rollout-"


def translate(placements: Sequence[Placement]) -> Configuration:
    """Return clusters, routes and weights; raise WrongTraffic with every problem that stands against it."""
    refuse_impossible(placements)
    return Configuration(clusters(placements), routes(placements), weights(placements))


def refuse_impossible(placements: Sequence[Placement]) -> None:
    """Raise WrongTraffic when the proxy cannot do what these placements ask for."""
    problems = [
        *(problem for placement in placements for problem in _problems_of(placement)),
        *_shared(placements),
    ]
    if problems:
        raise WrongTraffic(*problems)


def _problems_of(placement: Placement) -> Iterable[Problem]:
    policy = placement.policy
    yield from _problems_of_names(policy)
    for version in (policy.baseline, *policy.candidates):
        try:
            address_of(version.url)
        except ValueError as error:
            yield Problem(policy.name, f"url {version.url}: {error}", "give http://host:port")
    resilience = policy.resilience
    both_attempts_s = 2 * resilience.per_try_timeout_s + RETRY_PAUSE_S
    if resilience.falls_back and resilience.timeout_s < both_attempts_s:
        yield Problem(
            policy.name,
            f"a timeout of {resilience.timeout_s:g} s leaves the baseline no time after the candidate",
            f"give at least {both_attempts_s:g} s, twice the time of one try and a pause",
        )
    if not policy.candidates:
        yield Problem(policy.name, "has no candidate", "name one in the policy")
    yield from not_yet(placement)


def _problems_of_names(policy: Policy) -> Iterable[Problem]:
    if not _NAME.fullmatch(policy.name):
        yield Problem(policy.name, "the name is not made of letters, digits, `.`, `_` and `-`", "rename it")
    if not _PATH.fullmatch(policy.path) or not policy.path:
        remedy = "begin it with / and leave out empty or dotted segments, escapes and the query"
        yield Problem(policy.name, f"path {policy.path!r} is never what a request asks for", remedy)
    if not _HEADER.fullmatch(policy.unit_header) or policy.unit_header.casefold().startswith(OURS):
        remedy = f"use letters, digits and hyphens, and not {OURS}…, which is taken from clients"
        yield Problem(policy.name, f"unit header {policy.unit_header!r} cannot arrive", remedy)


def _shared(placements: Sequence[Placement]) -> Iterable[Problem]:
    policies = [placement.policy for placement in placements]
    paths = Counter(f"{policy.host or ''}{policy.path.rstrip('/') or '/'}" for policy in policies)
    names = Counter(policy.name for policy in policies)
    for what, counted in (("path", paths), ("name", names)):
        for one, times in counted.items():
            if times > 1:
                yield Problem(one, f"{times} experiments have this {what}", "end one before the next starts")
