"""The door: what the proxy cannot do is refused before anything is written, every problem at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rollout.domain.assignment import Placement
from rollout.domain.policy import RETRY_PAUSE_S, Policy, Test, Version
from rollout.envoy.endpoints import endpoint_of
from rollout.envoy.own_headers import AUTHORIZATION
from rollout.envoy.routes import EVERY_HOST, host_of, stem_of
from rollout.envoy.upstreams import Upstreams, unknown_names
from rollout.errors import Problem, WrongTraffic

OURS: Final = "x-rollout-"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
# What Envoy's normalisation of a path leaves alone: no empty or dotted segments, no escapes, no query.
_PATH: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?")
_HEALTH: Final = re.compile(r"/[\x21-\x7e]*")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")
_SECRET: Final = frozenset({AUTHORIZATION, "proxy-authorization", "cookie"})
# What frames a message or names its sender is the proxy's own to write.
_OF_THE_PROXY: Final = frozenset(
    {
        *("connection", "content-length", "content-type", "expect", "host", "keep-alive", "te", "trailer"),
        *("transfer-encoding", "upgrade", *_SECRET),
    }
)


def refuse_impossible(placements: Sequence[Placement], upstreams: Upstreams | None = None) -> None:
    """Raise WrongTraffic when the proxy cannot do what these placements ask for.

    Who does not know what the names in policies mean, as a control plane, gives no `upstreams`.
    """
    problems = [
        *(problem for placement in placements for problem in _problems_of(placement)),
        *_shared(placements),
    ]
    if upstreams is not None:
        policies = [placement.policy for placement in placements]
        problems += [problem for policy in policies for problem in unknown_names(policy, upstreams)]
    if problems:
        raise WrongTraffic(*problems)


def _problems_of(placement: Placement) -> Iterable[Problem]:
    policy = placement.policy
    yield from _of_names(policy)
    yield from _of_conditions(policy)
    for version in (policy.baseline, *policy.candidates):
        for what, remedy in _of_version(version):
            yield Problem(policy.name, what, remedy)
    yield from _of_resilience(policy)
    if not policy.candidates:
        yield Problem(policy.name, "has no candidate", "name one in the policy")
    elif not 0 < placement.split.winner <= len(policy.candidates):
        what = f"candidate {placement.split.winner} cannot win: there are {len(policy.candidates)}"
        yield Problem(policy.name, what, "promote one of them")


def _of_names(policy: Policy) -> Iterable[Problem]:
    if not _NAME.fullmatch(policy.name):
        yield Problem(policy.name, "the name is not made of letters, digits, `.`, `_` and `-`", "rename it")
    if not _PATH.fullmatch(policy.path) or not policy.path:
        remedy = "begin it with / and leave out empty or dotted segments, escapes and the query"
        yield Problem(policy.name, f"path {policy.path!r} is never what a request asks for", remedy)
    if policy.host is not None and not _HOST.fullmatch(policy.host):
        remedy = "give a name such as churn.example.com, without port and without *"
        yield Problem(policy.name, f"host {policy.host!r} is never what a request names", remedy)
    if policy.unit_header.casefold() in _SECRET:
        what = f"unit header {policy.unit_header!r} holds a secret, and units are logged"
        yield Problem(policy.name, what, "use a header that names a unit and proves nothing")
    if not _can_arrive(policy.unit_header):
        remedy = f"use letters, digits and hyphens, and not {OURS}…, which is taken from clients"
        yield Problem(policy.name, f"unit header {policy.unit_header!r} cannot arrive", remedy)


def _of_conditions(policy: Policy) -> Iterable[Problem]:
    for condition in policy.match:
        if not _can_arrive(condition.header):
            remedy = f"use letters, digits and hyphens, and not {OURS}…, which is taken from clients"
            yield Problem(policy.name, f"header {condition.header!r} of match cannot arrive", remedy)
        if condition.test in {Test.IN, Test.PREFIX} and not condition.values:
            what = f"match allows no value of header {condition.header!r}"
            yield Problem(policy.name, what, "name one, or leave the condition out")


def _of_version(version: Version) -> Iterable[tuple[str, str]]:
    try:
        is_tls = endpoint_of(version.url).is_tls
    except ValueError as error:
        yield f"url {version.url}: {error}", "give http://host:port or https://host:port"
    else:
        if version.tls is not None and not is_tls:
            yield f"url {version.url}: tls is asked for", "give https://host:port, or leave tls out"
    for name, value in version.headers.items():
        if not _can_arrive(name) or name.casefold() in _OF_THE_PROXY:
            yield f"header {name!r} of version {version.version} cannot be set", "leave it out"
        elif not _PRINTABLE.fullmatch(value):
            what = f"header {name!r} of version {version.version} has no value that can be sent"
            yield what, "give printable ASCII"
    if version.health_check is not None and not _HEALTH.fullmatch(version.health_check):
        yield f"healthCheck {version.health_check!r} is no path", "give one such as /healthz"


def _of_resilience(policy: Policy) -> Iterable[Problem]:
    resilience = policy.resilience
    both_attempts_s = 2 * resilience.per_try_timeout_s + RETRY_PAUSE_S
    if resilience.falls_back and resilience.timeout_s < both_attempts_s:
        yield Problem(
            policy.name,
            f"a timeout of {resilience.timeout_s:g} s leaves the baseline no time after the candidate",
            f"give at least {both_attempts_s:g} s, twice the time of one try and a pause",
        )


def _can_arrive(header: str) -> bool:
    return _HEADER.fullmatch(header) is not None and not header.casefold().startswith(OURS)


def _shared(placements: Sequence[Placement]) -> Iterable[Problem]:
    hosts = [host_of(placement) for placement in placements]
    paths = Counter(
        f"{'' if host == EVERY_HOST else host}{stem_of(placement) or '/'}"
        for host, placement in zip(hosts, placements, strict=True)
    )
    names = Counter(placement.policy.name for placement in placements)
    for what, counted in (("path", paths), ("name", names)):
        for one, times in counted.items():
            if times > 1:
                yield Problem(one, f"{times} experiments have this {what}", "end one before the next starts")
