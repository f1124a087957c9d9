"""Why attempts at a version failed, and how its hosts stand: Envoy's own counters, by experiment and arm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias


class Cause(StrEnum):
    """Why an attempt failed; but for an overflow the fallback answers instead, where the policy has one."""

    ERROR = "5xx"
    REFUSED_LOAD = "429"
    SLOW = "try-timeout"
    TIMEOUT = "timeout"
    NO_CONNECTION = "connect-failure"
    CONNECT_TIMEOUT = "connect-timeout"
    RESET = "reset"
    NONSENSE = "protocol-error"
    OVERFLOW = "overflow"


COUNTED: Final[Mapping[str, Cause]] = {
    # Counted for an attempt that is followed by another: without a fallback these two stay at 0.
    "retry.upstream_rq_5xx": Cause.ERROR,
    "retry.upstream_rq_429": Cause.REFUSED_LOAD,
    "upstream_rq_per_try_timeout": Cause.SLOW,
    "upstream_rq_timeout": Cause.TIMEOUT,
    "upstream_rq_pending_failure_eject": Cause.NO_CONNECTION,
    "upstream_cx_connect_timeout": Cause.CONNECT_TIMEOUT,
    "upstream_rq_rx_reset": Cause.RESET,
    "upstream_cx_destroy_remote_with_active_rq": Cause.RESET,
    "upstream_cx_protocol_error": Cause.NONSENSE,
    "upstream_rq_pending_overflow": Cause.OVERFLOW,
}
EJECTIONS: Final = "outlier_detection.ejections_enforced_total"
HOSTS: Final = "membership_total"
HEALTHY: Final = "membership_healthy"
BREAKERS: Final[Mapping[str, str]] = {
    "circuit_breakers.default.cx_open": "connections",
    "circuit_breakers.default.rq_pending_open": "waiting requests",
    "circuit_breakers.default.rq_open": "requests",
    "circuit_breakers.default.rq_retry_open": "retries",
}
KEPT: Final = (*COUNTED, EJECTIONS, HOSTS, HEALTHY, *BREAKERS)
"""What Envoy keeps of every cluster for this; everything else of a cluster it does not even count."""

Arm: TypeAlias = tuple[str, int, str]
"""Experiment, revision and arm."""
_LINE: Final = re.compile(
    rf"^cluster\.(?P<experiment>[^/\s]+)/(?P<revision>\d+)/(?P<arm>[a-z]+\d*)"
    rf"\.(?P<stat>{'|'.join(map(re.escape, KEPT))}): (?P<value>\d+)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Fared:
    """How an arm's upstream fared: failed attempts by cause, and how its hosts stand now."""

    failures: Mapping[Cause, int] = field(default_factory=dict)
    ejections: int = 0
    hosts: int = 0
    healthy_hosts: int = 0
    open_breakers: tuple[str, ...] = ()

    @property
    def is_degraded(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.failures or self.ejections or self.open_breakers or self.healthy_hosts < self.hosts)


def read(text: str) -> dict[Arm, Fared]:
    """Return what Envoy's plain statistics say of each arm; what it has not counted yet is absent."""
    found: dict[Arm, dict[str, int]] = {}
    for line in _LINE.finditer(text):
        arm = (line["experiment"], int(line["revision"]), line["arm"])
        found.setdefault(arm, {})[line["stat"]] = int(line["value"])
    return {arm: _fared(stats) for arm, stats in found.items()}


class Lives:
    """Adds up the lives of one Envoy: each begins to count anew."""

    def __init__(self) -> None:
        self._life = 0
        self._before: dict[Arm, Fared] = {}
        self._now: dict[Arm, Fared] = {}

    def add(self, life: int, now: Mapping[Arm, Fared]) -> dict[Arm, Fared]:
        """Take in what a life has counted so far, and return what all have, of the arms that there are."""
        if life != self._life:
            arms = {*self._before, *self._now}
            self._before = {arm: _sum(self._before.get(arm), self._now.get(arm, Fared())) for arm in arms}
            self._life = life
        self._now = dict(now)
        # An arm whose cluster is gone will not come back under this revision.
        self._before = {arm: fared for arm, fared in self._before.items() if arm in now}
        return {arm: _sum(self._before.get(arm), fared) for arm, fared in now.items()}


def degraded(all_arms: Mapping[Arm, Fared]) -> Iterable[tuple[Arm, Fared]]:
    """Return the arms of which there is anything to tell."""
    return ((arm, fared) for arm, fared in sorted(all_arms.items()) if fared.is_degraded)


def _fared(stats: Mapping[str, int]) -> Fared:
    failures: dict[Cause, int] = {}
    for stat, cause in COUNTED.items():
        if count := stats.get(stat, 0):
            failures[cause] = failures.get(cause, 0) + count
    # A connection that is not made in time counts as one that is not made, too.
    if late := failures.get(Cause.CONNECT_TIMEOUT, 0):
        failures[Cause.NO_CONNECTION] = max(failures.get(Cause.NO_CONNECTION, 0) - late, 0)
    return Fared(
        failures={cause: count for cause, count in failures.items() if count},
        ejections=stats.get(EJECTIONS, 0),
        hosts=stats.get(HOSTS, 0),
        healthy_hosts=stats.get(HEALTHY, 0),
        open_breakers=tuple(name for stat, name in BREAKERS.items() if stats.get(stat)),
    )


def _sum(before: Fared | None, now: Fared) -> Fared:
    """Return two lives together: counts add up, and what stands is what stands now."""
    if before is None:
        return now
    causes = sorted({*before.failures, *now.failures})
    failures = {cause: before.failures.get(cause, 0) + now.failures.get(cause, 0) for cause in causes}
    return replace(now, failures=failures, ejections=before.ejections + now.ejections)
