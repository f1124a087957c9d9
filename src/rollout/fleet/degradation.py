"""How versions fare on all nodes together: what failed in the last minute, and which hosts are left."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from rollout.client.nodes import DegradationState

WINDOW_S: Final = 60.0
APART_S: Final = 1.0
"""Of what a node tells more often, the last word in each second is kept: 62 of them at most."""
Arm: TypeAlias = tuple[str, int, str]
CAUSES: Final[Mapping[str, str]] = {
    "5xx": "answers of 500 and above",
    "429": "answers of 429",
    "try-timeout": "per-try timeouts",
    "timeout": "timeouts",
    "connect-failure": "connections refused",
    "connect-timeout": "connections not made in time",
    "reset": "connections lost",
    "protocol-error": "answers that are no HTTP",
    "overflow": "requests too many at once",
}
"""Each cause as people read it, with a number before it."""


@dataclass(frozen=True, slots=True)
class Degraded:
    """An arm that does not fare well: failed attempts of the last minute by cause, and its hosts now."""

    arm: str
    failures: Mapping[str, int]
    ejections: int
    hosts: int
    healthy_hosts: int
    open_breakers: tuple[str, ...]
    nodes: tuple[str, ...]
    """Those on which it is so."""


@dataclass(frozen=True, slots=True)
class _Told:
    at_s: float
    arms: Mapping[Arm, DegradationState]


class Degradations:
    """What nodes told in the last minute; not safe to call from several threads at once."""

    def __init__(self) -> None:
        self._told: dict[str, deque[_Told]] = {}

    @property
    def kept(self) -> int:
        """How many words of nodes are kept."""
        return sum(map(len, self._told.values()))

    def heard(self, node: str, states: Sequence[DegradationState], at_s: float) -> None:
        """Take in what a node says of the arms that do not fare well, counted since it began."""
        told = self._told.setdefault(node, deque())
        if len(told) > 1 and at_s - told[-2].at_s < APART_S:
            told.pop()
        told.append(_Told(at_s, {(one.experiment, one.revision, one.arm): one for one in states}))
        # The newest word from before the window is what its counters are compared with.
        while len(told) > 1 and at_s - told[1].at_s >= WINDOW_S:
            told.popleft()

    def forget(self, node: str) -> None:
        """Leave out a node that is gone."""
        self._told.pop(node, None)

    def of(self, experiment: str, revision: int, now_s: float) -> tuple[Degraded, ...]:
        """Return the arms of one run that do not fare well now, in their order."""
        found = list(self._of(experiment, revision, now_s))
        arms = sorted({one.arm for one in found}, key=lambda arm: (arm != "control", arm))
        return tuple(_together([one for one in found if one.arm == arm]) for arm in arms)

    def _of(self, experiment: str, revision: int, now_s: float) -> Iterator[Degraded]:
        for node, told in self._told.items():
            first, last = told[0], told[-1]
            if now_s - last.at_s > WINDOW_S:
                continue  # it is silent, which is said elsewhere
            for arm, state in last.arms.items():
                if arm[:2] == (experiment, revision):
                    one = _since(node, first.arms.get(arm), state)
                    if one.failures or one.ejections or one.open_breakers or one.healthy_hosts < one.hosts:
                        yield one


def _since(node: str, before: DegradationState | None, now: DegradationState) -> Degraded:
    """Return what came since an older word; a counter that fell began anew."""
    failures = {
        cause: grown
        for cause, count in now.fallbacks.items()
        if (grown := _grown(0 if before is None else before.fallbacks.get(cause, 0), count))
    }
    return Degraded(
        arm=now.arm,
        failures=failures,
        ejections=_grown(0 if before is None else before.ejections, now.ejections),
        hosts=now.hosts,
        healthy_hosts=now.healthy_hosts,
        open_breakers=now.open_breakers,
        nodes=(node,),
    )


def _grown(before: int, now: int) -> int:
    return now if now < before else now - before


def _together(parts: Sequence[Degraded]) -> Degraded:
    failures: Counter[str] = Counter()
    for one in parts:
        failures.update(one.failures)
    return Degraded(
        arm=parts[0].arm,
        failures=dict(failures.most_common()),
        ejections=sum(one.ejections for one in parts),
        hosts=sum(one.hosts for one in parts),
        healthy_hosts=sum(one.healthy_hosts for one in parts),
        open_breakers=tuple(sorted({name for one in parts for name in one.open_breakers})),
        nodes=tuple(sorted(node for one in parts for node in one.nodes)),
    )


def sentence(found: Degraded, version: str) -> str:
    """Say how a version fares: `candidate 2.0.0: 37 attempts failed in the last minute: 30 …`."""
    parts = []
    if found.failures:
        causes = (f"{count:,} {CAUSES.get(cause, cause)}" for cause, count in found.failures.items())
        failed = f"{sum(found.failures.values()):,} attempts failed in the last minute"
        parts.append(f"{failed}: {', '.join(causes)}")
    if found.healthy_hosts < found.hosts:
        parts.append(f"{found.hosts - found.healthy_hosts} of {found.hosts} hosts out")
    if found.ejections:
        parts.append(f"a host ejected {times(found.ejections)} in the last minute")
    if found.open_breakers:
        parts.append(f"at their limit: {', '.join(found.open_breakers)}")
    role = "baseline" if found.arm == "control" else "candidate"
    return f"{role} {version}: {'; '.join(parts)}"


def times(number: int) -> str:
    """Say how often something was so."""
    return "once" if number == 1 else f"{number:,} times"
